"""Where declarations are read from, as the rest sees it: files with modes, by path. Knows neither git nor YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

FOLDERS = ("environments", "tenants", "infra/databases")
MODE_SYMLINK = 0o120000
MODE_SUBMODULE = 0o160000
MODE_FILE = 0o100000


class Entry(Struct, frozen=True, gc=False):
    """One file under FOLDERS. ``oid`` is its blob id, empty when it does not come from git.

    ``path`` is relative to the root with ``/``; bytes that are no UTF-8 are
    surrogates in it. ``size_bytes`` is 0 for what is no file.
    """

    path: str
    oid: str
    mode: int
    size_bytes: int

    def is_file(self) -> bool:
        """Whether this is a regular file, executable or not."""
        return self.mode & 0o170000 == MODE_FILE


class Tree(Protocol):
    """A tree of files that does not change while it is read."""

    @property
    def commit(self) -> str | None:
        """The full id of the commit; None when this is a folder."""

    def entries(self) -> Mapping[str, Entry]:
        """Everything under FOLDERS by path, links and submodules included, ordered by path. Raises AdxError."""

    def read(self, path: str) -> bytes:
        """The contents of the regular file ``path``. Raises AdxError."""

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes]:
        """The contents of the regular files ``paths``, in that order, one at a time. Raises AdxError."""
