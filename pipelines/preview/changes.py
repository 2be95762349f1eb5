"""What a pull request changes, by environment, read from git objects alone: no cluster, no state, no credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.preview.migrations.changes import edited_scripts
from policies.change_set import ChangeSet, diff
from policies.declarations import Declarations
from policies.desired_state import DesiredState, resolve
from policies.errors import AdxError, DeclarationError
from policies.findings import suggestion
from policies.git_merge import merged_tree
from policies.git_tree import GitTree, resolve_ref
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load


class UnknownEnvironment(AdxError):
    """Neither side of the pull request declares an environment of this name."""

    exit_code = 2


@dataclass(frozen=True)
class EnvironmentChange:
    """One environment before and after the merge; None where it is not declared.

    ``edited_scripts`` are scripts of databases, up to the version that the base declares here, that differ.
    """

    environment: str
    base: DesiredState | None
    after: DesiredState | None
    base_rules: EnvironmentSpec | None
    after_rules: EnvironmentSpec | None
    edited_scripts: tuple[str, ...] = ()

    @property
    def change_set(self) -> ChangeSet:
        """The units that differ; for a removed environment all of them go."""
        after = self.after or DesiredState(environment=self.environment, commit="", units=())
        return diff(self.base, after)

    @property
    def is_affected(self) -> bool:
        """Whether a unit differs, a script that it has, or the rules by which the environment is delivered."""
        is_edited = bool(self.edited_scripts) or self.base_rules != self.after_rules
        return is_edited or not self.change_set.is_empty()


@dataclass(frozen=True)
class PullRequestChange:
    """Both sides of a pull request. ``merged`` is what the base branch would hold; ``notes`` are for the reviewer.

    ``base`` is empty where the question is what a delivery of ``head`` would do.
    """

    repository: Path
    base: str
    head: str
    merged: GitTree
    before: Declarations | None
    after: Declarations
    notes: tuple[str, ...] = ()

    def environments(self) -> list[str]:
        """Every environment that one of the sides declares, in order."""
        return sorted({*(self.before.environments if self.before else ()), *self.after.environments})

    def of(self, environment: str, delivered: DesiredState | None = None) -> EnvironmentChange:
        """The change of one environment.

        Units that are delivered as they are declared keep the commit that
        brought them. Without a base, what is delivered is the base.
        """
        if self.before is None:
            base, base_rules = delivered, self._rules(self.after, environment)
        else:
            base = state_of(self.before, environment, self.base, delivered)
            base_rules = self._rules(self.before, environment)
        after = state_of(self.after, environment, self.merged.commit, base or delivered)
        edited = edited_scripts(environment, self.before, self.after)
        return EnvironmentChange(environment, base, after, base_rules, self._rules(self.after, environment), edited)

    def affected(self) -> list[str]:
        """The environments that the pull request changes. Without a base, all: what is delivered is not known here."""
        if self.before is None:
            return self.environments()
        return [name for name in self.environments() if self.of(name).is_affected]

    def chosen(self, names: Sequence[str]) -> list[str]:
        """``names``, or what is affected where none is given. Raises UnknownEnvironment."""
        known = self.environments()
        for name in names:
            if name not in known:
                raise UnknownEnvironment(
                    f"no environment {name} is declared on either side",
                    next_step=suggestion(name, known, "name one that is declared"),
                )
        return list(dict.fromkeys(names)) or self.affected()

    @staticmethod
    def _rules(declarations: Declarations, environment: str) -> EnvironmentSpec | None:
        declared = declarations.environments.get(environment)
        return declared.environment if declared is not None else None


def read(repository: Path, base: str, head: str) -> PullRequestChange:
    """What merging ``head`` into ``base`` (refs; empty base: into what is delivered) changes.

    Raises DeclarationError with every problem of the merge result, NotMergeable,
    UnrelatedHistory, CommitMissing, RefRefused.
    """
    head_commit = resolve_ref(repository, head)
    if not base:
        tree = GitTree(repository, head_commit)
        return PullRequestChange(repository, "", head_commit, tree, None, load(tree))
    base_commit = resolve_ref(repository, base)
    merged = merged_tree(repository, base_commit, head_commit)
    after = load(merged)
    try:
        before: Declarations | None = load(GitTree(repository, base_commit))
        notes: tuple[str, ...] = ()
    except DeclarationError as error:
        # A pull request that mends a broken base branch must still be shown: against what is delivered.
        before = None
        notes = (f"The base branch itself is broken ({error}): compared with what is delivered.",)
    return PullRequestChange(repository, base_commit, head_commit, merged, before, after, notes)


def delivered_state(repository: Path, environment: str, commit: str) -> DesiredState | None:
    """What ``environment`` was at ``commit``; None where it was not declared there. Raises CommitMissing."""
    tree = GitTree.open(repository, commit)
    declarations = load(tree)
    return state_of(declarations, environment, tree.commit)


def state_of(
    declarations: Declarations, environment: str, commit: str, previous: DesiredState | None = None
) -> DesiredState | None:
    """What ``commit`` declares of ``environment``, None where nothing; units as in ``previous`` keep its commits."""
    known: Mapping[str, object] = declarations.environments
    return resolve(declarations, environment, commit, previous) if environment in known else None
