"""Which snapshots are no longer kept. Pure: nothing is deleted here.

A snapshot stays while it is among the last ``keep_last`` or younger than
``keep_days``; a protected one (the last good one, and what it needs) always.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from policies.infrastructure.spec import SnapshotRetention
from workflows.snapshots.naming import SnapshotEntry


def prune(
    entries: Iterable[SnapshotEntry], rule: SnapshotRetention, protected: Collection[str], now: datetime
) -> tuple[SnapshotEntry, ...]:
    """The entries to delete, oldest first. ``protected`` are digests, ``now`` is aware."""
    newest_first = sorted(entries, key=_by_age, reverse=True)
    oldest_kept = now - timedelta(days=rule.keep_days)
    beyond_the_last = newest_first[max(rule.keep_last, 0) :]
    gone = [entry for entry in beyond_the_last if entry.stored_at < oldest_kept and entry.digest not in protected]
    return tuple(reversed(gone))


def unreachable(
    bodies: Iterable[SnapshotEntry], reachable: Collection[str], now: datetime, *, grace_hours: int = 24
) -> tuple[SnapshotEntry, ...]:
    """Bodies that no kept snapshot refers to, oldest first.

    ``reachable`` are all digests that kept snapshots name. A body younger than
    ``grace_hours`` stays: the snapshot that will refer to it may not be written yet.
    """
    oldest_in_use = now - timedelta(hours=grace_hours)
    gone = [body for body in bodies if body.digest not in reachable and body.stored_at < oldest_in_use]
    return tuple(sorted(gone, key=_by_age))


def _by_age(entry: SnapshotEntry) -> tuple[datetime, str]:
    return entry.stored_at, entry.digest
