"""Whether a repository with the proposal in it would be valid, and putting the proposal into a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipelines.importing.model import ProposedFile
from policies.errors import AdxError, DeclarationError
from policies.folder_tree import FolderTree
from policies.loader import load
from policies.tree import MODE_FILE, Entry


class FileInTheWay(AdxError):
    """Where a file would be written there is another content, a symbolic link, or no folder above it."""


class Overlay:
    """A folder as it would be with some files written into it; ``below`` is None when it is not there yet."""

    commit: str | None = None

    def __init__(self, below: FolderTree | None, files: Iterable[ProposedFile]) -> None:
        self._below = below
        self._files = {file.path: file.text.encode() for file in files}

    def entries(self) -> Mapping[str, Entry]:
        """The entries of the folder, and those of the files."""
        own = {path: Entry(path, "", MODE_FILE | 0o644, len(data)) for path, data in self._files.items()}
        there = self._below.entries() if self._below is not None else {}
        return dict(sorted({**there, **own}.items()))

    def read(self, path: str) -> bytes:
        """The file as it would be."""
        if path in self._files or self._below is None:
            return self._files[path]
        return self._below.read(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The files as they would be, in that order."""
        return map(self.read, paths)


def problems_with(folder: Path, files: Sequence[ProposedFile]) -> tuple[str, ...]:
    """What `adx validate` would say of ``folder`` with ``files`` in it, a line each; it need not be there yet."""
    try:
        load(Overlay(FolderTree(folder) if folder.exists() else None, files))
    except DeclarationError as error:
        return tuple(f"{one.file}:{one.line}:{one.column}: {one.what}; {one.fix}" for one in error.problems)
    return ()


def write(folder: Path, files: Sequence[ProposedFile]) -> None:
    """Put ``files`` below ``folder``; all of them or, with FileInTheWay, none. One that is the same stays.

    No symbolic link below ``folder`` is followed; ``folder`` itself may be one, as the person named it.
    """
    new = [file for file in files if not _is_there(folder, file)]
    aside: list[tuple[Path, Path]] = []
    try:
        for file in new:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            aside.append((_written_aside(path, file.text), path))
        while aside:
            written, path = aside[-1]
            written.replace(path)
            aside.pop()
    finally:
        for written, _ in aside:
            written.unlink(missing_ok=True)


def _is_there(folder: Path, file: ProposedFile) -> bool:
    """Whether the file is there as it is to be. Raises FileInTheWay for anything else at, or above, its place."""
    path = folder / file.path
    above = [folder / one for one in reversed(PurePosixPath(file.path).parents[:-1])]
    for one in (*above, path):
        if one.is_symlink():
            raise _in_the_way(f"{one} is a symbolic link, and none is followed")
    for one in (folder, *above):
        if (one.exists() or one.is_symlink()) and not one.is_dir():
            raise _in_the_way(f"{one} is not a folder")
    if not path.exists():
        return False
    if not path.is_file() or path.read_bytes() != file.text.encode():
        raise _in_the_way(f"{path} is there already, and differs")
    return True


def _in_the_way(what: str) -> FileInTheWay:
    return FileInTheWay(what, next_step="write into another folder with --write DIR, and bring over what you want")


def _written_aside(path: Path, text: str) -> Path:
    """A new file beside ``path`` with ``text``, under a name that nobody has, and with the mode of any new file."""
    umask = os.umask(0o077)
    os.umask(umask)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(0o666 & ~umask)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
