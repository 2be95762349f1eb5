"""Declarations as a folder has them: for work that is not committed yet. Never used to deliver.

No symbolic link is followed anywhere below the root, not even one whose target
is inside: what is listed is what a commit would hold.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from policies.errors import AdxError
from policies.tree import FOLDERS, MODE_FILE, Entry
from policies.yaml_text import MAX_FILE_BYTES

MAX_FILES = 200_000
MAX_FOLDERS_DEEP = 8


class FolderUnreadable(AdxError):
    """The folder, or a file in it, cannot be read."""

    exit_code = 6


class FolderTree:
    """The files below one folder."""

    commit: str | None = None

    def __init__(self, root: Path) -> None:
        """``root`` holds ``environments/`` and ``tenants/``. Raises FolderUnreadable when it is no folder."""
        if not root.is_dir():
            raise FolderUnreadable(f"{root} is not a folder", next_step="name the folder that holds environments/")
        self.root = root

    def entries(self) -> Mapping[str, Entry]:
        """Everything under FOLDERS by path, ordered by path; links are listed, not followed."""
        return self._entries

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in (entry for folder in FOLDERS for entry in _walk(self.root, folder)):
            if len(found) >= MAX_FILES:
                raise FolderUnreadable(f"{self.root} has over {MAX_FILES:,} files", next_step="validate a commit")
            found[entry.path] = entry
        return dict(sorted(found.items()))

    def read(self, path: str) -> bytes:
        """The contents of ``path``, cut one byte above the size that is allowed."""
        parent = _open(self.root, os.O_DIRECTORY)
        try:
            *folders, name = path.split("/")
            for folder in folders:
                child = _open(Path(folder), os.O_DIRECTORY | os.O_NOFOLLOW, parent)
                os.close(parent)
                parent = child
            # Not blocking: the file may have become a pipe since it was listed.
            descriptor = _open(Path(name), os.O_NOFOLLOW | os.O_NONBLOCK, parent)
        finally:
            os.close(parent)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The contents of ``paths``, in that order, one at a time."""
        return map(self.read, paths)


def _open(path: Path, flags: int, parent: int | None = None) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=parent)
    except OSError as error:
        raise FolderUnreadable(f"{path} cannot be read: {error.strerror}", next_step="look at the file") from error


def _walk(root: Path, path: str, depth: int = 0) -> Iterator[Entry]:
    """Entries at and below ``path``. Too deep a folder is listed as if it were a file, for others to refuse."""
    try:
        status = (root / path).lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or depth > MAX_FOLDERS_DEEP:
        mode = MODE_FILE | 0o644 if stat.S_ISREG(status.st_mode) else stat.S_IFMT(status.st_mode)
        yield Entry(path, "", mode, status.st_size)
        return
    try:
        names = sorted(child.name for child in (root / path).iterdir())
    except OSError as error:
        raise FolderUnreadable(f"{root / path} cannot be listed: {error.strerror}") from error
    for name in names:
        yield from _walk(root, f"{path}/{name}", depth + 1)
