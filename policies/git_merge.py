"""What a branch would leave behind if it were merged now, without touching any branch or working tree.

A reviewer must see the merge result: the branch alone may lack what the base
branch has got since, and then a preview would show that as removed.
"""

from __future__ import annotations

from pathlib import Path

from policies import git_process
from policies.git_errors import NotMergeable, UnrelatedHistory
from policies.git_tree import GitTree, check_commit_id, is_ancestor

CONFLICTS_SHOWN = 8
_CLEAN, _CONFLICTING = 0, 1


def merged_tree(repository: Path, base: str, head: str) -> GitTree:
    """The tree that ``base`` would hold after merging ``head`` (full commit ids).

    Where no merge commit is needed it is the tree of one of the two; else its
    ``commit`` is the id of a tree, which names nothing but that content.
    Raises UnrelatedHistory, NotMergeable naming the conflicting files, GitFailed.
    """
    check_commit_id(base), check_commit_id(head)
    if is_ancestor(repository, base, head):
        return GitTree(repository, head)
    if is_ancestor(repository, head, base):
        return GitTree(repository, base)
    _require_common_history(repository, base, head)
    return GitTree(repository, _merge(repository, base, head))


def _require_common_history(repository: Path, base: str, head: str) -> None:
    status, _ = git_process.run(repository, "merge-base", "--end-of-options", base, head, accepted=(0, 1))
    if status == 0:
        return
    if _is_shallow(repository):
        raise UnrelatedHistory(
            f"this clone is too shallow to know what {head[:12]} and {base[:12]} have in common",
            next_step="fetch the whole history (`git fetch --unshallow`; fetch-depth: 0 in a workflow)",
        )
    raise UnrelatedHistory(
        f"{head[:12]} and {base[:12]} have no commit in common: one of them is of another repository",
        next_step="start the branch from the base branch",
    )


def _is_shallow(repository: Path) -> bool:
    _, output = git_process.run(repository, "rev-parse", "--is-shallow-repository")
    return output.strip() == b"true"


def _merge(repository: Path, base: str, head: str) -> str:
    """The id of the merged tree; its objects go into the repository's store, where nothing refers to them."""
    arguments = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", "--end-of-options", base, head)
    status, output = git_process.run(repository, *arguments, accepted=(_CLEAN, _CONFLICTING))
    tree, *conflicts = output.decode("utf-8", "backslashreplace").rstrip("\0").split("\0")
    if status == _CLEAN:
        return tree
    named = sorted(set(conflicts))
    listed = ", ".join(named[:CONFLICTS_SHOWN]) + (" …" if len(named) > CONFLICTS_SHOWN else "")
    raise NotMergeable(
        f"{head[:12]} does not merge cleanly into {base[:12]}; conflicts in {listed}",
        next_step="merge the base branch into yours, settle the conflicts, and preview again",
    )
