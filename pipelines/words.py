"""Counts, times and commits as a person says them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

SHORT_COMMIT = 10


def short(commit: str | None) -> str:
    """The first characters of a commit id; a dash for none."""
    return commit[:SHORT_COMMIT] if commit else "-"


def duration(seconds: float | None) -> str:
    """A duration as a person says it: ``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``; empty for None."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(at: datetime | None) -> str:
    """A time in UTC to the second: ``2026-01-31 09:05:00``; a dash for None."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from ``start`` to ``end``; None unless both are known."""
    return (end - start).total_seconds() if start and end else None


def parsed(time: str) -> datetime | None:
    """An ISO 8601 time as workflows hold it; None for the empty text."""
    return datetime.fromisoformat(time) if time else None


def counted(count: int, noun: str) -> str:
    """``1 unit``, ``3 units``, ``1,000 units``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
