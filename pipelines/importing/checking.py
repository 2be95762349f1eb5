"""Whether a repository with the proposal in it would be valid, and putting the proposal into a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.importing.model import ProposedFile
from policies.errors import AdxError, DeclarationError
from policies.folder_tree import FolderTree
from policies.loader import load
from policies.tree import MODE_FILE, Entry


class FileInTheWay(AdxError):
    """A file that would be written is there already, with another content."""


class Overlay:
    """A folder as it would be with some files written into it."""

    commit: str | None = None

    def __init__(self, below: FolderTree, files: Iterable[ProposedFile]) -> None:
        self._below = below
        self._files = {file.path: file.text.encode() for file in files}

    def entries(self) -> Mapping[str, Entry]:
        """The entries of the folder, and those of the files."""
        own = {path: Entry(path, "", MODE_FILE | 0o644, len(data)) for path, data in self._files.items()}
        return dict(sorted({**self._below.entries(), **own}.items()))

    def read(self, path: str) -> bytes:
        """The file as it would be."""
        return self._files[path] if path in self._files else self._below.read(path)

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The files as they would be, in that order."""
        return map(self.read, paths)


def problems_with(folder: Path, files: Sequence[ProposedFile]) -> tuple[str, ...]:
    """What `adx validate` would say of ``folder`` with ``files`` in it, a line each."""
    try:
        load(Overlay(FolderTree(folder), files))
    except DeclarationError as error:
        return tuple(f"{one.file}:{one.line}:{one.column}: {one.what}; {one.fix}" for one in error.problems)
    return ()


def write(folder: Path, files: Sequence[ProposedFile]) -> None:
    """Put ``files`` below ``folder``; all of them or, with FileInTheWay, none. One that is the same stays."""
    for file in files:
        path = folder / file.path
        if path.is_symlink() or (path.exists() and path.read_text() != file.text):
            raise FileInTheWay(
                f"{path} is there already, and differs",
                next_step="write into another folder with --write DIR, and bring over what you want",
            )
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.new")
        aside.write_text(file.text)
        aside.replace(path)
