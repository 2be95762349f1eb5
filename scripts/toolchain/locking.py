"""One at a time across processes, for whatever must not be built or installed twice at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from scripts.progress import Reporter

_POLL_SECONDS = 0.5


@contextlib.contextmanager
def turns(lock_file: Path, waiting: str, reporter: Reporter) -> Iterator[None]:
    """Hold ``lock_file`` during the block; says ``waiting`` once when somebody else holds it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    has_said_so = False
    while True:
        try:
            lock.acquire(timeout=_POLL_SECONDS)
            break
        except Timeout:
            if not has_said_so:
                reporter.note(waiting)
                has_said_so = True
    try:
        yield
    finally:
        lock.release()
