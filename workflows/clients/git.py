"""The delivered repository: the mirror off the event loop, and the branches that ADX proposes to merge.

A revert and a proposal are made of git objects alone: no working tree is
touched. Only ``environments/`` and ``tenants/`` are reverted: what else the
commit changed is not ADX's to undo.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policies.git_errors import GitFailed, NotMergeable, UnrelatedHistory
from policies.git_merge import merged_tree
from policies.git_mirror import Mirror
from policies.git_process import hardened_environment
from policies.git_tree import GitTree

if TYPE_CHECKING:
    import git

FOLDERS = ("environments", "tenants")
PUSH_TIMEOUT_SECONDS = 60
AUTHOR_NAME, AUTHOR_EMAIL = "ADX", "adx@localhost"
_FETCHED = "refs/adx/proposed/"


class Repository:
    """``policies.git_mirror.Mirror`` with its blocking calls in threads; raises what the mirror raises."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    @property
    def path(self) -> Path:
        """The folder of the bare copy."""
        return self._mirror.path

    @property
    def head_ref(self) -> str:
        """The ref of the copy that follows the branch, as of the last fetch."""
        return self._mirror.head_ref

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

    with _opened(repository) as repo:
        try:
            commit = _committed(repo, _reverted_tree(repo, revert), revert.bad, revert.message)
            refspec = f"{commit}:refs/heads/{revert.branch}"
            repo.git.push("--quiet", "origin", refspec, kill_after_timeout=PUSH_TIMEOUT_SECONDS)
        except git.GitError as error:
            raise GitFailed(f"{revert.branch} cannot be pushed: {error}", next_step="revert by hand") from error
    return commit


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


class BranchTaken(GitFailed):
    """Somebody else has commits on the branch that ADX wants to push."""


@dataclass(frozen=True)
class Proposal:
    """``files`` (path → content, files that ``base`` has) changed on top of ``base``, to be merged from ``branch``."""

    base: str
    branch: str
    files: Mapping[str, bytes]
    message: str


def commit_proposal(repository: Path, proposal: Proposal) -> str:
    """Make the commit, which nothing refers to yet; the same proposal is always the same commit. Raises GitFailed."""
    import git  # noqa: PLC0415 - see above

    with _opened(repository) as repo, tempfile.TemporaryDirectory() as folder:
        try:
            repo.git.update_environment(GIT_INDEX_FILE=str(Path(folder) / "index"))
            repo.git.read_tree(proposal.base)
            entries = GitTree(repository, proposal.base).entries()
            for path, content in proposal.files.items():
                entry = f"{entries[path].mode:o},{_blob(repo, content)},{path}"
                repo.git.update_index("--cacheinfo", entry)
            return _committed(repo, repo.git.write_tree(), proposal.base, proposal.message)
        except git.GitError as error:
            raise GitFailed(f"{proposal.branch} cannot be made: {error}", next_step="look at the mirror") from error


def push_proposal(repository: Path, proposal: Proposal, commit: str) -> tuple[str, str]:
    """Push ``commit`` as the proposal's branch; what the branch was before (empty: new) and what it is now.

    A branch that would leave the same declarations behind when it is merged is
    left as it is. What it held before is replaced, if ADX made all of it.
    Raises BranchTaken, GitFailed.
    """
    import git  # noqa: PLC0415 - see above

    with _opened(repository) as repo:
        try:
            before = _fetched(repo, proposal.branch)
            if before and _leaves_the_same(repository, proposal.base, before, commit):
                return before, before
            others = _foreign_authors(repo, proposal.base, before) if before else []
            if others:
                raise BranchTaken(
                    f"the branch {proposal.branch} has commits of {', '.join(others[:3])}",
                    next_step="merge or delete the branch, then try again",
                )
            # Nobody else may have pushed since it was looked at.
            lease = f"--force-with-lease=refs/heads/{proposal.branch}:{before}"
            refspec = f"{commit}:refs/heads/{proposal.branch}"
            repo.git.push("--quiet", lease, "origin", refspec, kill_after_timeout=PUSH_TIMEOUT_SECONDS)
        except git.GitError as error:
            raise GitFailed(
                f"{proposal.branch} cannot be pushed: {error}",
                next_step="check that ADX_REPO may be pushed to from this machine, then try again",
            ) from error
    return before, commit


@contextmanager
def _opened(repository: Path) -> Iterator[git.Repo]:
    import git  # noqa: PLC0415 - see above

    repo = git.Repo(repository)
    repo.git.update_environment(**hardened_environment(repository))
    try:
        yield repo
    finally:
        repo.close()


def _committed(repo: git.Repo, tree: str, parent: str, message: str) -> str:
    """The id of a commit on top of ``parent``, at its time, so that the same content is always the same commit."""
    import git  # noqa: PLC0415 - see above

    below, author = repo.commit(parent), git.Actor(AUTHOR_NAME, AUTHOR_EMAIL)
    moment = below.committed_datetime
    commit = git.Commit.create_from_tree(
        repo,
        repo.tree(tree),
        message,
        parent_commits=[below],
        author=author,
        committer=author,
        author_date=moment,
        commit_date=moment,
    )
    return str(commit.hexsha)


def _blob(repo: git.Repo, content: bytes) -> str:
    with tempfile.TemporaryFile() as data:
        data.write(content)
        data.seek(0)
        return str(repo.git.hash_object("-w", "--stdin", istream=data))


def _fetched(repo: git.Repo, branch: str) -> str:
    """The head of ``branch`` at the origin, fetched; empty when it has no such branch."""
    if not repo.git.ls_remote("origin", f"refs/heads/{branch}", kill_after_timeout=PUSH_TIMEOUT_SECONDS):
        return ""
    refspec = f"+refs/heads/{branch}:{_FETCHED}{branch}"
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    repo.git.fetch(*options, "origin", refspec, kill_after_timeout=PUSH_TIMEOUT_SECONDS)
    return str(repo.git.rev_parse(f"{_FETCHED}{branch}"))


def _leaves_the_same(repository: Path, base: str, before: str, commit: str) -> bool:
    try:
        merged = merged_tree(repository, base, before)
    except (NotMergeable, UnrelatedHistory):
        return False
    return merged.entries() == GitTree(repository, commit).entries()


def _foreign_authors(repo: git.Repo, base: str, head: str) -> list[str]:
    """Who else has commits on ``head`` that ``base`` does not have."""
    emails = str(repo.git.log("--format=%ce%n%ae", f"{base}..{head}")).split()
    return sorted(set(emails) - {AUTHOR_EMAIL})
