"""What a branch takes back: commits that say so in git's own words, and whether what they say is so.

`git revert` and the button of a hosting write ``This reverts commit ID`` into the message. What is really taken back is
told by the declarations: each change of the older commit, turned round, is looked for among those of the merge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipelines.preview.changes import PullRequestChange, state_of
from pipelines.preview.report import Reverted
from policies import git_process
from policies.change_set import ChangeSet, diff
from policies.desired_state import DesiredState, Unit
from policies.errors import AdxError
from policies.git_tree import GitTree, changed_paths, is_ancestor
from policies.loader import load
from policies.masking import Masker, secrets_in

MOST_COMMITS = 50
MOST_REVERTS = 3
_SAYS_SO = re.compile(r"This reverts commit ([0-9a-f]{40}|[0-9a-f]{64})\b")
_Leaf = tuple[str, str, str, str | None, str | None]  # environment, unit, path, before, after


def reverted(change: PullRequestChange) -> tuple[Reverted, ...]:
    """What the branch says that it reverts, newest first, of what the base has; nothing where git cannot tell."""
    if not change.base:
        return ()
    try:
        said = list(_said(change))
        return tuple(_judged(change, commit) for commit in said[:MOST_REVERTS])
    except AdxError:
        return ()


def _said(change: PullRequestChange) -> Iterator[str]:
    messages = _git(change, "log", f"--max-count={MOST_COMMITS}", "--format=%B", f"{change.base}..{change.head}")
    for commit in dict.fromkeys(_SAYS_SO.findall(messages)):
        if is_ancestor(change.repository, commit, change.base):
            yield commit


def _judged(change: PullRequestChange, commit: str) -> Reverted:
    """``commit`` is a full id that the base contains."""
    subject = Masker(_secrets(change)).text(_git(change, "show", "--no-patch", "--format=%s", commit).strip())
    try:
        older = set(_turned_round(_leaves(_changes_of(change, commit))))
    except AdxError:  # what was valid then may not be today: the message is all that is known
        return Reverted(commit=commit, subject=subject)
    ours = set(_leaves(change.of(name).change_set for name in change.environments()))
    return Reverted(
        commit=commit,
        subject=subject,
        is_compared=True,
        changes=len(older),
        taken_back=len(older & ours),
        beside=len(ours - older),
    )


def _changes_of(change: PullRequestChange, commit: str) -> Iterator[ChangeSet]:
    """What ``commit`` changed, in each environment that is declared now; nothing of a first commit."""
    for parent in _git(change, "rev-list", "--max-count=1", "--skip=1", "--first-parent", commit).split():
        if changed_paths(change.repository, parent, commit):
            before, after = (load(GitTree(change.repository, one)) for one in (parent, commit))
            for name in change.environments():
                coming = state_of(after, name, commit) or DesiredState(environment=name, commit=commit, units=())
                yield diff(state_of(before, name, parent), coming)


def _leaves(changes: Iterable[ChangeSet]) -> Iterator[_Leaf]:
    """Every field that differs; a unit that comes or goes is one, told by the digest of what it is."""
    for one in changes:
        for unit in one.changes:
            for field in unit.fields:
                yield one.environment, unit.unit, field.path, field.before, field.after
            if unit.action != "change":
                yield one.environment, unit.unit, "", _digest(unit.before), _digest(unit.after)


def _digest(unit: Unit | None) -> str | None:
    return unit.digest if unit is not None else None


def _turned_round(leaves: Iterable[_Leaf]) -> Iterator[_Leaf]:
    for environment, unit, path, before, after in leaves:
        yield environment, unit, path, after, before


def _secrets(change: PullRequestChange) -> frozenset[str]:
    states: Sequence[DesiredState | None] = [change.of(name).base for name in change.environments()]
    return secrets_in(unit for state in states if state is not None for unit in state.units)


def _git(change: PullRequestChange, command: str, *arguments: str) -> str:
    *options, revision = arguments
    _, output = git_process.run(change.repository, command, *options, "--end-of-options", revision)
    return output.decode("utf-8", "replace")
