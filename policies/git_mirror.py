"""The worker's own bare copy of the delivered repository, and what it may deliver from it.

Holds the history of the protected branch only. What was fetched once is never
thrown away, so that a delivered commit can be restored even after somebody
rewrote the branch. Processes on one machine share it; a file lock makes their
fetches take turns.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from policies import git_process
from policies.git_address import check_address, is_local, shown
from policies.git_errors import (
    CommitMissing,
    CommitNotOnBranch,
    GitError,
    GitFailed,
    HistoryRewritten,
    NotNewer,
    RefRefused,
    RepositoryUnreachable,
)
from policies.git_tree import check_commit_id, is_ancestor, resolve_ref

LOCK_TIMEOUT_SECONDS = 600.0
STALE_LOCK_SECONDS = 60.0
_NO_SUCH_REF = 2

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}\Z")
_BRANCH_FORBIDDEN = re.compile(r"\.\.|//|/\.|\.lock(?:/|\Z)|[/.]\Z")


class Mirror:
    """A mirror of one branch of one repository. Safe to use from several threads and processes."""

    def __init__(self, address: str, path: Path, branch: str) -> None:
        """Use :meth:`open`, which checks what it is given."""
        self.address = address
        self.path = path
        self.branch = branch

    @classmethod
    def open(cls, address: str, folder: Path, branch: str) -> Mirror:
        """The mirror of ``branch`` at ``address``, kept in a folder of its own below ``folder``.

        Makes an empty repository where there is none, and connects to nothing.
        Raises AddressRefused, RefRefused, GitFailed.
        """
        checked = check_address(address)
        if not _BRANCH.match(branch) or _BRANCH_FORBIDDEN.search(branch):
            name = branch.encode("ascii", "backslashreplace").decode()[:80]
            raise RefRefused(f"{name!r} cannot be the name of a branch", next_step="set ADX_BRANCH to its plain name")
        # Another address or branch gets another folder: their histories are never mixed.
        digest = hashlib.sha256(f"{checked}\n{branch}".encode()).hexdigest()[:16]
        mirror = cls(checked, folder.absolute() / f"{digest}.git", branch)
        with mirror._locked():
            mirror._make()
        return mirror

    @property
    def head_ref(self) -> str:
        """The ref of the mirror that follows the protected branch."""
        return f"refs/remotes/origin/{self.branch}"

    def fetch(self) -> str:
        """Bring the mirror up to date; returns the head (full id). Raises RepositoryUnreachable, CommitMissing."""
        refspec = f"+refs/heads/{self.branch}:{self.head_ref}"
        timeout_seconds = git_process.NETWORK_TIMEOUT_SECONDS
        with self._locked():
            self._remove_stale_locks()
            try:
                git_process.run(
                    self.path, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
                    "--end-of-options", "origin", refspec, timeout_seconds=timeout_seconds,
                )  # fmt: skip
            except GitFailed as error:
                raise self._unreachable(error) from error
        return self.head()

    def head(self) -> str:
        """The head of the branch as of the last fetch. Raises CommitMissing before the first."""
        return resolve_ref(self.path, self.head_ref)

    def contains(self, commit: str) -> bool:
        """Whether the protected branch, as of the last fetch, contains ``commit`` (full id)."""
        return is_ancestor(self.path, commit, self.head())

    def check_contains(self, commit: str) -> None:
        """Raise CommitNotOnBranch unless the protected branch contains ``commit``."""
        if not self.contains(commit):
            raise CommitNotOnBranch(
                f"{commit[:12]} is not on {self.branch} of {shown(self.address)}",
                next_step=f"merge it into {self.branch} first; only what was merged is delivered",
            )

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether the history of ``newer`` contains ``older`` (full ids)."""
        return is_ancestor(self.path, older, newer)

    def is_fast_forward(self, delivered: str, head: str) -> bool:
        """Whether going from ``delivered`` to ``head`` drops nothing that was delivered."""
        return self.is_ancestor(delivered, head)

    def check_fast_forward(self, delivered: str, commit: str) -> None:
        """Raise HistoryRewritten or NotNewer unless ``commit`` contains what was ``delivered``."""
        if self.is_fast_forward(delivered, commit):
            return
        if not self.contains(delivered):
            raise HistoryRewritten(
                f"{self.branch} of {shown(self.address)} was rewritten: it no longer contains {delivered[:12]}, "
                "which is delivered",
                next_step="put the delivered commit back on the branch, or deliver knowingly with `adx deploy --force`",
            )
        raise NotNewer(
            f"{commit[:12]} does not contain {delivered[:12]}, which is delivered",
            next_step="merge the two, or go back knowingly with `adx rollback`",
        )

    def newest(self, commits: Sequence[str]) -> str:
        """The one of ``commits`` (full ids, all on the branch) that comes last in the branch's history."""
        wanted = {check_commit_id(commit) for commit in commits}
        _, output = git_process.run(self.path, "merge-base", "--independent", *sorted(wanted))
        candidates = set(output.decode("ascii").split())
        if len(candidates) == 1:
            return candidates.pop()
        _, output = git_process.run(self.path, "rev-list", "--topo-order", "--end-of-options", self.head())
        ranks = {commit: rank for rank, commit in enumerate(output.decode("ascii").split())}
        return min(candidates, key=lambda commit: (ranks.get(commit, len(ranks)), commit))

    def _make(self) -> None:
        """An empty bare repository that knows its remote; harmless when it is there already."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        git_process.run(self.path, "init", "--quiet", "--bare", "--template=")
        git_process.run(self.path, "config", "remote.origin.url", self.address)

    def _unreachable(self, error: GitFailed) -> GitError:
        """What a failed fetch means: no such branch, or no repository that answers."""
        asked = ("ls-remote", "--exit-code", "--heads", "origin", f"refs/heads/{self.branch}")
        status, _ = git_process.run(self.path, *asked, accepted=range(256))
        if status == _NO_SUCH_REF:
            what = f"{shown(self.address)} has no branch {self.branch}"
            return CommitMissing(what, next_step="push the branch, or set ADX_BRANCH to another")
        what = "read the folder" if is_local(self.address) else "reach the host, and may read the repository"
        return RepositoryUnreachable(
            f"{shown(self.address)} cannot be fetched: {error}", next_step=f"make sure that this machine can {what}"
        )

    def _remove_stale_locks(self) -> None:
        """Locks that a killed git left behind; a living one holds its locks for an instant."""
        oldest_seconds = time.time() - STALE_LOCK_SECONDS
        for lock in [*self.path.glob("*.lock"), *(self.path / "refs").rglob("*.lock")]:
            with contextlib.suppress(FileNotFoundError):
                if lock.stat().st_mtime < oldest_seconds:
                    lock.unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the threads and processes that use this mirror. Raises GitFailed when it takes too long."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_SECONDS):
                yield
        except filelock.Timeout as error:
            raise GitFailed(f"another process has been fetching into {self.path} for too long") from error
