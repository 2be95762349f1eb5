"""Where flags come from at run time: a file that is replaced under the reader, or a callable.

A mounted ConfigMap is a link to a folder that Kubernetes swaps; other tools
rename a file over the old one. Both change what ``stat`` finds at the path,
which is asked, so nothing here depends on a kind of file system or needs a
watch that could be lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from policies.configuration.flags.errors import FlagsUnreadable
from policies.configuration.flags.wire import MAX_DOCUMENT_BYTES

Read = Callable[[], bytes]


class FileSource:
    """The file ``path``; links are followed each time."""

    def __init__(self, path: Path) -> None:
        """Reads nothing yet."""
        self.path = path
        self._seen: tuple[int, ...] | None = None

    def changed(self) -> bytes | None:
        """The contents when the file at the path is another, or was written. Raises FlagsUnreadable."""
        try:
            seen = self._identity()
            if seen == self._seen:
                return None
            with self.path.open("rb") as file:
                document = file.read(MAX_DOCUMENT_BYTES + 1)
        except OSError as error:
            self._seen = None
            raise FlagsUnreadable(
                f"the flags cannot be read from {self.path}: {error.strerror}",
                next_step="mount the ConfigMap feature-flags, and name the file in ADX_FLAGS_FILE",
            ) from error
        self._seen = seen
        return document

    def forget(self) -> None:
        """Give the contents again next time, changed or not: they could not be used."""
        self._seen = None

    def _identity(self) -> tuple[int, ...]:
        found = os.stat(self.path)  # noqa: PTH116 - the same, without making a path object each time
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


class CallableSource:
    """Whatever ``read`` returns; it is called each time."""

    def __init__(self, read: Read) -> None:
        """Calls nothing yet."""
        self._read = read
        self._last: bytes | None = None

    def changed(self) -> bytes | None:
        """What was read if it is not what was read before."""
        document = self._read()
        if document == self._last:
            return None
        self._last = document
        return document

    def forget(self) -> None:
        """Give the contents again next time."""
        self._last = None


def source_of(given: str | os.PathLike[str] | Read | None) -> FileSource | CallableSource:
    """The source for what a service hands over; None is the file that ADX_FLAGS_FILE names. Raises FlagsUnreadable."""
    if callable(given):
        return CallableSource(given)
    path = given if given is not None else os.environ.get("ADX_FLAGS_FILE")
    if not path:
        raise FlagsUnreadable(
            "ADX_FLAGS_FILE is not set, and no file is given",
            next_step="declare the flags that the service reads in services.yaml (feature_flags), or give a path",
        )
    return FileSource(Path(path))
