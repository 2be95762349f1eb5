"""What a process writes: kept in a file without a name, read while it grows.

A pipe would do for a reader that always reads. A worker that is paused does not: pulumi would stop at a full pipe, in
the middle of an operation, and keep the stack's lock for as long as the worker sleeps. A file takes everything, as long
as its disk does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

CHUNK_BYTES = 1024 * 1024


class Output:
    """The writing end is given to the process as a file descriptor (``fileno``); lines are read from the other."""

    def __init__(self, file_descriptor: int) -> None:
        """The file is not closed here."""
        self._file_descriptor = file_descriptor
        self._position = 0
        self._begun: list[bytes] = []

    def fileno(self) -> int:
        """For ``subprocess``."""
        return self._file_descriptor

    def lines(self) -> Iterator[bytes]:
        """The lines that were completed since this was asked last, each with its end."""
        while chunk := os.pread(self._file_descriptor, CHUNK_BYTES, self._position):
            self._position += len(chunk)
            head, *others = chunk.split(b"\n")
            for following in others:
                yield b"".join([*self._begun, head, b"\n"])
                self._begun, head = [], following
            self._begun.append(head)

    def rest(self) -> bytes:
        """A last line without an end, once nobody writes any more."""
        return b"".join(self._begun)


@contextmanager
def open_output(folder: Path) -> Iterator[Output]:
    """An output whose file lives in ``folder`` for as long as somebody has it open, and is nobody else's to read."""
    with TemporaryFile(dir=folder, prefix="said-") as file:
        yield Output(file.fileno())
