"""Bodies in a directory: one folder an owner, one file a snapshot, readable by its owner only.

A file appears under its name only when it is whole and on the disk: written
beside it, flushed, renamed. What a crash leaves behind is a ``.partial`` file,
which is never read and swept away after a day.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from workflows.snapshots.errors import SnapshotStoreUnreachable
from workflows.snapshots.naming import SnapshotEntry, is_digest

_PARTIAL = ".partial"
_PARTIAL_KEPT_SECONDS = 24 * 3600


class DirectoryBodies:
    """Bodies under ``root``, which is made when it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _usable(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, folder: str, digest: str, body: bytes) -> None:
        """Write beside, flush, rename, flush the folder."""
        home = self._root / folder
        with _usable(home):
            home.mkdir(mode=0o700, exist_ok=True)
            partial = home / f".{digest}.{secrets.token_hex(8)}{_PARTIAL}"
            try:
                _write_flushed(partial, body)
                partial.replace(home / digest)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            _flush_folder(home)

    def read(self, folder: str, digest: str) -> bytes | None:
        """The file's bytes."""
        path = self._root / folder / digest
        with _usable(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def exists(self, folder: str, digest: str) -> bool:
        """Whether the file is there."""
        path = self._root / folder / digest
        with _usable(path):
            return path.is_file()

    def delete(self, folder: str, digest: str) -> None:
        """Remove the file."""
        path = self._root / folder / digest
        with _usable(path):
            path.unlink(missing_ok=True)

    def entries(self, folder: str) -> tuple[SnapshotEntry, ...]:
        """Whole files only; old partial ones are swept away on the way."""
        home = self._root / folder
        found = []
        with _usable(home):
            try:
                listing = list(os.scandir(home))
            except FileNotFoundError:
                return ()
            for item in listing:
                if is_digest(item.name):
                    found.append(_entry(item))
                elif item.name.endswith(_PARTIAL):
                    _sweep(item)
        return tuple(sorted(found, key=lambda entry: entry.digest))


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotStoreUnreachable(
            f"the snapshot directory {path.parent} cannot be used: {error.strerror or type(error).__name__}",
            next_step="check free space, permissions and ADX_SNAPSHOT_STORE",
        ) from error


def _write_flushed(path: Path, body: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # The rename itself survives a power cut only once the folder is on the disk.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entry(item: os.DirEntry[str]) -> SnapshotEntry:
    status = item.stat(follow_symlinks=False)
    stored_at = datetime.fromtimestamp(status.st_mtime, tz=UTC)
    return SnapshotEntry(digest=item.name, stored_at=stored_at, size_bytes=status.st_size)


def _sweep(item: os.DirEntry[str]) -> None:
    if time.time() - item.stat(follow_symlinks=False).st_mtime > _PARTIAL_KEPT_SECONDS:
        Path(item.path).unlink(missing_ok=True)
