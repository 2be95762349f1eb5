"""The delivered repository, for activities: the mirror off the event loop, and the branch that reverts a commit.

Only ``environments/`` and ``tenants/`` are reverted: what else the commit
changed is not ADX's to undo.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policies.git_errors import GitFailed
from policies.git_mirror import Mirror
from policies.git_process import hardened_environment

if TYPE_CHECKING:
    import git

FOLDERS = ("environments", "tenants")
PUSH_TIMEOUT_SECONDS = 60


class Repository:
    """``policies.git_mirror.Mirror`` with its blocking calls in threads; raises what the mirror raises."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    @property
    def path(self) -> Path:
        """The folder of the bare copy."""
        return self._mirror.path

    async def fetch(self) -> str:
        """Bring the copy up to date; the full id of the branch's head."""
        return await asyncio.to_thread(self._mirror.fetch)

    async def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` contains ``older``."""
        return await asyncio.to_thread(self._mirror.is_ancestor, older, newer)

    async def newest(self, commits: Sequence[str]) -> str:
        """Of ``commits``, all on the branch, the one that comes last in its history."""
        return await asyncio.to_thread(self._mirror.newest, commits)

    async def check_contains(self, commit: str) -> None:
        """Raise CommitNotOnBranch unless the branch contains ``commit``."""
        await asyncio.to_thread(self._mirror.check_contains, commit)

    async def check_fast_forward(self, delivered: str, commit: str) -> None:
        """Raise HistoryRewritten or NotNewer when delivering ``commit`` would drop what is ``delivered``."""
        await asyncio.to_thread(self._mirror.check_fast_forward, delivered, commit)

    async def push_revert(self, revert: Revert) -> str:
        """Make the reverting commit and push it as ``revert.branch``; returns its id. Raises GitFailed."""
        return await asyncio.to_thread(push_revert, self.path, revert)


@dataclass(frozen=True)
class Revert:
    """Undo what came between ``good`` and ``bad`` (commit ids) on a new ``branch``."""

    bad: str
    good: str
    branch: str
    message: str


def push_revert(repository: Path, revert: Revert) -> str:
    """Commit on top of ``bad`` with the declarations of ``good``, from git objects alone, and push it.

    The same revert is always the same commit, so pushing again changes nothing.
    """
    import git  # noqa: PLC0415 - costs 10 MB and is needed only when something has failed

    repo = git.Repo(repository)
    repo.git.update_environment(**hardened_environment(repository))
    try:
        tree = repo.tree(_reverted_tree(repo, revert))
        bad = repo.commit(revert.bad)
        moment, author = bad.committed_datetime, git.Actor("ADX", "adx@localhost")
        commit = git.Commit.create_from_tree(
            repo,
            tree,
            revert.message,
            parent_commits=[bad],
            author=author,
            committer=author,
            author_date=moment,
            commit_date=moment,
        )
        refspec = f"{commit.hexsha}:refs/heads/{revert.branch}"
        repo.git.push("--quiet", "origin", refspec, kill_after_timeout=PUSH_TIMEOUT_SECONDS)
        return str(commit.hexsha)
    except git.GitError as error:
        raise GitFailed(f"{revert.branch} cannot be pushed: {error}", next_step="revert by hand") from error
    finally:
        repo.close()


def _reverted_tree(repo: git.Repo, revert: Revert) -> str:
    """The id of the tree of ``bad`` with the folders of declarations as they were in ``good``."""
    entries = {**_entries(repo, revert.bad)}
    before = _entries(repo, revert.good)
    for folder in FOLDERS:
        entries.pop(folder, None)
        if folder in before:
            entries[folder] = before[folder]
    with tempfile.TemporaryFile() as listing:
        listing.write("".join(f"{entry}\0" for entry in entries.values()).encode())
        listing.seek(0)
        return str(repo.git.mktree("-z", istream=listing))


def _entries(repo: git.Repo, commit: str) -> Mapping[str, str]:
    listing = str(repo.git.ls_tree("-z", "--full-tree", commit))
    return {entry.partition("\t")[2]: entry for entry in listing.split("\0") if entry}
