"""Declarations as a commit has them: from git objects, never from a checked-out working tree.

So symbolic links, filters, hooks, line-end conversion and submodules cannot
change what is read. Also the few questions about commits that others have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from policies import git_process
from policies.folder_tree import FolderTree
from policies.git_errors import CommitMissing, RefRefused
from policies.tree import FOLDERS, Entry, Tree

__all__ = ["FolderTree", "GitTree", "Tree", "changed_paths", "environment_names", "is_ancestor", "resolve_ref"]

_REF = re.compile(r"[A-Za-z0-9@][A-Za-z0-9._/@{}~^+-]{0,254}\Z")
_COMMIT_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class GitTree:
    """The tree of one commit. Holds no process and no open file between calls."""

    def __init__(self, repository: Path, commit: str, folders: tuple[str, ...] = FOLDERS) -> None:
        """``commit`` is a full id that exists in ``repository``; :meth:`open` makes sure of both.

        Only ``folders`` are looked at: those of the declarations unless others are named.
        """
        self.repository = repository
        self._commit = commit
        self._folders = folders

    @classmethod
    def open(cls, repository: Path, ref: str, folders: tuple[str, ...] = FOLDERS) -> GitTree:
        """The tree that ``ref`` names in the (bare or other) ``repository``, which may be any folder inside it.

        Raises RefRefused, CommitMissing, RepositoryUnreachable.
        """
        return cls(repository, resolve_ref(repository, ref), folders)

    @property
    def commit(self) -> str:
        """The full id of the commit."""
        return self._commit

    def entries(self) -> Mapping[str, Entry]:
        """Everything under the folders by path, links and submodules included, ordered by path."""
        return self._entries

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        arguments = ("ls-tree", "-r", "-l", "-z", "--full-tree", self._commit, "--", *self._folders)
        _, listing = git_process.run(self.repository, *arguments)
        # Surrogates keep bytes that are no UTF-8 apart until somebody refuses the path.
        lines = listing.decode("utf-8", "surrogateescape").split("\0")
        return {entry.path: entry for entry in map(_entry, lines[:-1])}

    def read(self, path: str) -> bytes:
        """The contents of ``path``. Raises KeyError when it is not among the entries."""
        return next(self.read_many([path]))

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The contents of ``paths``, in that order, one at a time, through one process."""
        return git_process.read_blobs(self.repository, [self._entries[path].oid for path in paths])


def _entry(line: str) -> Entry:
    """An entry of ``mode type oid size TAB path``."""
    facts, _, path = line.partition("\t")
    mode, _, oid, size = facts.split()
    return Entry(path, oid, int(mode, 8), int(size) if size != "-" else 0)


def resolve_ref(repository: Path, ref: str) -> str:
    """The full id of the commit that ``ref`` (branch, tag, id) names. Raises RefRefused, CommitMissing."""
    if not _REF.match(ref) or ".." in ref:
        shown = ref.encode("ascii", "backslashreplace").decode()[:80]
        raise RefRefused(
            f"{shown!r} cannot be the name of a commit",
            next_step="name a branch, a tag or a commit id; it begins with a letter or a digit",
        )
    status, output = git_process.run(
        repository,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{ref}^{{commit}}",
        accepted=(0, 1, 128),
    )
    commit = output.decode("ascii", "replace").strip()
    if status == 0 and _COMMIT_ID.match(commit):
        return commit
    git_process.check_repository(repository)
    raise CommitMissing(f"{repository} has no commit {ref}", next_step="fetch it, or look at `git log --all`")


def changed_paths(repository: Path, before: str, after: str, folders: tuple[str, ...] = FOLDERS) -> frozenset[str]:
    """Paths under ``folders`` that differ between two commits (full ids); renames are two paths.

    Raises GitFailed when the repository does not have both.
    """
    arguments = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv")
    _, output = git_process.run(
        repository, *arguments, "--end-of-options", check_commit_id(before), check_commit_id(after), "--", *folders
    )
    return frozenset(output.decode("utf-8", "surrogateescape").split("\0")[:-1])


def committed_at(repository: Path, commit: str) -> datetime:
    """When ``commit`` (a full id) was made, in UTC. Raises GitFailed when the repository does not have it."""
    arguments = ("show", "--no-patch", "--format=%ct", "--end-of-options", check_commit_id(commit))
    _, output = git_process.run(repository, *arguments)
    return datetime.fromtimestamp(int(output), UTC)


def is_ancestor(repository: Path, older: str, newer: str) -> bool:
    """Whether the history of ``newer`` contains ``older`` (full ids; a commit contains itself).

    False also when the repository does not know ``older`` at all.
    """
    arguments = ("merge-base", "--is-ancestor", "--end-of-options", check_commit_id(older), check_commit_id(newer))
    status, _ = git_process.run(repository, *arguments, accepted=(0, 1, 128))
    return status == 0


def check_commit_id(commit: str) -> str:
    """``commit``, if it is a full commit id; raises RefRefused."""
    if not _COMMIT_ID.match(commit):
        shown = commit.encode("ascii", "backslashreplace").decode()[:80]
        raise RefRefused(f"{shown!r} is not a full commit id", next_step="write all 40 digits")
    return commit


def environment_names(tree: Tree) -> list[str]:
    """The environments that ``tree`` has a folder of, in order; whether they are complete is for the loader."""
    return sorted(
        {path.split("/")[1] for path in tree.entries() if path.startswith("environments/") and path.count("/") > 1}
    )
