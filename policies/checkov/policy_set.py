"""The policies of a repository at one commit, read from its git objects.

Ask with the commit of the base branch, never with the head of a change: a
change must not be able to excuse itself. Own checks are files
``policies/checkov/check_*.py``; their code is run, so it too comes from a
commit that was reviewed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import field

from policies.checkov.catalogue import CATALOGUE, OWN_SEVERITY, SeveritySetting
from policies.checkov.documents import FILE, problem_at, problems_of, read_policies
from policies.checkov.policy_rules import wrong_in
from policies.checkov.spec import PoliciesSpec, SwitchedOff
from policies.errors import DeclarationError, Problem
from policies.git_tree import GitTree, changed_paths, committed_at, environment_names
from policies.spec import Spec
from policies.tree import Entry
from policies.tree_layout import problem
from policies.yaml_places import Places
from policies.yaml_text import MAX_FILE_BYTES

FOLDER = "policies"
_OWN_CHECK = re.compile(r"policies/checkov/check_[A-Za-z0-9_]+\.py\Z")
_ID = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_[0-9]+\Z")
_RESERVED = re.compile(r"(?:CKV2?|ADX|BC)_")


class OwnCheck(Spec):
    """A file with checks of the repository's own: its text, and the ids that stand in it."""

    path: str
    source: str
    ids: tuple[str, ...]


class PolicySet(Spec):
    """What ``commit`` says about severities, bounds and waivers, with its own checks."""

    commit: str
    spec: PoliciesSpec = PoliciesSpec()
    own_checks: tuple[OwnCheck, ...] = field(default=())

    def own_ids(self) -> tuple[str, ...]:
        """The ids of the repository's own checks."""
        return tuple(id_ for own in self.own_checks for id_ in own.ids)

    def severity(self, check: str) -> SeveritySetting:
        """How severe a finding of ``check`` is here; ``off`` when it is not run."""
        chosen = self.spec.severities.get(check)
        if chosen is not None:
            return "off" if isinstance(chosen, SwitchedOff) else chosen
        return CATALOGUE[check].severity if check in CATALOGUE else OWN_SEVERITY

    def checks(self) -> tuple[str, ...]:
        """The ids of all checks that are run."""
        return tuple(check for check in (*CATALOGUE, *self.own_ids()) if self.severity(check) != "off")


def load_policies(repository: Path, commit: str) -> PolicySet:
    """The policies at ``commit`` (a full id); the defaults where it declares none.

    Raises DeclarationError with every problem and its place, and GitError.
    """
    tree = GitTree(repository, commit, (FOLDER,))
    entries = {path: entry for path, entry in tree.entries().items() if _is_policy(path)}
    problems = [found for entry in entries.values() if (found := _wrong_entry(entry)) is not None]
    if problems:
        raise DeclarationError(tuple(problems))
    own_checks = _own_checks(tree, [path for path in entries if path != FILE])
    spec = PoliciesSpec()
    if FILE in entries:
        known = {*CATALOGUE, *(id_ for own in own_checks for id_ in own.ids)}
        spec = _checked_spec(tree.read(FILE), repository, commit, known)
    return PolicySet(commit=commit, spec=spec, own_checks=own_checks)


def edits_policies(repository: Path, base: str, head: str) -> tuple[str, ...]:
    """The policy files that differ between two commits (full ids), sorted: they take effect only after the merge."""
    return tuple(sorted(path for path in changed_paths(repository, base, head, (FOLDER,)) if _is_policy(path)))


def _is_policy(path: str) -> bool:
    """Whether ``path`` holds policies, or is in the place of a folder that would."""
    return path in {FILE, FOLDER, "policies/checkov"} or _OWN_CHECK.match(path) is not None


def _wrong_entry(entry: Entry) -> Problem | None:
    if not entry.is_file() or entry.path in {FOLDER, "policies/checkov"}:
        return problem(entry.path, "this is a link or no regular file", "put the file itself here", "policies.link")
    if entry.size_bytes > MAX_FILE_BYTES:
        what = f"the file has {entry.size_bytes:,} bytes, {MAX_FILE_BYTES:,} are allowed"
        return problem(entry.path, what, "split it", "text.size")
    return None


def _checked_spec(data: bytes, repository: Path, commit: str, checks: set[str]) -> PoliciesSpec:
    spec = read_policies(data)
    if spec is None:
        raise DeclarationError(tuple(problems_of(data)))
    environments = environment_names(GitTree(repository, commit))
    committed_on = committed_at(repository, commit).date()
    findings = list(wrong_in(spec, checks=checks, environments=environments, committed_on=committed_on))
    if findings:
        places = Places(data)
        raise DeclarationError(tuple(problem_at(places, found) for found in findings))
    return spec


def _own_checks(tree: GitTree, paths: list[str]) -> tuple[OwnCheck, ...]:
    """The repository's own checks; raises DeclarationError for files that are no Python or claim taken ids."""
    problems: list[Problem] = []
    found: list[OwnCheck] = []
    taken: dict[str, str] = {}
    for path, data in zip(paths, tree.read_many(paths), strict=True):
        try:
            source = data.decode("utf-8")
            ids = tuple(dict.fromkeys(_ids(source)))
        except (SyntaxError, ValueError) as error:
            line = (error.lineno or 0) if isinstance(error, SyntaxError) else 0
            problems.append(_own_problem(path, line, "this is not Python", "correct it"))
            continue
        problems += _wrong_ids(path, ids, taken)
        found.append(OwnCheck(path=path, source=source, ids=ids))
    if problems:
        raise DeclarationError(tuple(problems))
    return tuple(found)


def _ids(source: str) -> Iterator[str]:
    """Every text in ``source`` that is the id of a check; the code is read, not run."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ID.match(node.value):
            yield node.value


def _wrong_ids(path: str, ids: tuple[str, ...], taken: dict[str, str]) -> Iterator[Problem]:
    if not ids:
        yield _own_problem(path, 0, "no id of a check stands in it", "give the check an id like SHOP_1, as plain text")
    for id_ in ids:
        if _RESERVED.match(id_):
            yield _own_problem(path, 0, f"the id {id_} is not yours to give", "begin it with a word of your own")
        elif id_ in taken:
            yield _own_problem(path, 0, f"the id {id_} is already in {taken[id_]}", "give it another number")
        taken.setdefault(id_, path)


def _own_problem(path: str, line: int, what: str, fix: str) -> Problem:
    column = 1 if line else 0
    return Problem(file=path, line=line, column=column, path="", what=what, fix=fix, rule="policies.own-check")


def titles(policies: PolicySet, loaded: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Title and fix of every check that is run; those of own checks as checkov ``loaded`` them."""
    known = {id_: (check.title, check.fix) for id_, check in CATALOGUE.items()}
    own = {id_: loaded.get(id_, (id_, "")) for id_ in policies.own_ids()}
    return known | {id_: (title, fix or "see the check's own file") for id_, (title, fix) in own.items()}
