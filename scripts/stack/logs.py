"""The logs of parts: where one start begins, and the end of it."""

from __future__ import annotations

from pathlib import Path

_KEEP_BYTES = 20_000_000
_READ_BYTES = 100_000


def begin(log_file: Path) -> int:
    """Make room for one more start; returns the offset in bytes at which it begins. An overgrown log is set aside."""
    size = log_file.stat().st_size if log_file.exists() else 0
    if size > _KEEP_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))
        return 0
    return size


def end_of(log_file: Path, *, offset: int = 0, lines: int | None = None) -> str:
    """The last ``lines`` lines after ``offset`` (all of them for None); empty when there is no log."""
    if not log_file.exists():
        return ""
    with log_file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(offset if lines is None else max(offset, size - _READ_BYTES))
        text = stream.read().decode("utf-8", "replace")
    kept = text.splitlines() if lines is None else text.splitlines()[-lines:]
    return "\n".join(kept)
