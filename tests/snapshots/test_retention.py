"""Which snapshots are kept: the last ones, the young ones, and the protected ones always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from policies.infrastructure.spec import SnapshotRetention
from workflows.snapshots.naming import SnapshotEntry
from workflows.snapshots.retention import prune, unreachable

NOW = datetime(2026, 6, 1, tzinfo=UTC)

ages = st.integers(0, 100 * 24).map(lambda hours: NOW - timedelta(hours=hours))
entry_lists = st.lists(ages, max_size=30).map(
    lambda times: [_entry(number, stored_at) for number, stored_at in enumerate(times)]
)
rules = st.builds(SnapshotRetention, keep_last=st.integers(0, 40), keep_days=st.integers(0, 120))
protections = st.sets(st.integers(0, 30).map(lambda number: f"{number:064x}"))


def _entry(number: int, stored_at: datetime) -> SnapshotEntry:
    return SnapshotEntry(digest=f"{number:064x}", stored_at=stored_at, size_bytes=1)


def test_old_ones_beyond_the_last_are_deleted_oldest_first() -> None:
    entries = [_entry(number, NOW - timedelta(days=10 * number)) for number in range(6)]

    gone = prune(entries, SnapshotRetention(keep_last=2, keep_days=30), {entries[4].digest}, NOW)

    assert gone == (entries[5],)  # 0, 1: among the last; 2, 3: not older than 30 days; 4: protected


@given(entry_lists, rules, protections)
def test_a_protected_snapshot_is_never_deleted(
    entries: list[SnapshotEntry], rule: SnapshotRetention, protected: set[str]
) -> None:
    gone = prune(entries, rule, protected, NOW)

    assert not {entry.digest for entry in gone} & protected


@given(entry_lists, rules, protections)
def test_the_last_ones_and_the_young_ones_stay_and_all_others_go(
    entries: list[SnapshotEntry], rule: SnapshotRetention, protected: set[str]
) -> None:
    gone = set(prune(entries, rule, protected, NOW))

    for entry in entries:
        newer = sum((other.stored_at, other.digest) > (entry.stored_at, entry.digest) for other in entries)
        is_young = entry.stored_at >= NOW - timedelta(days=rule.keep_days)
        is_kept = newer < rule.keep_last or is_young or entry.digest in protected
        assert (entry not in gone) is is_kept


@given(entry_lists, rules, protections)
def test_pruning_twice_deletes_nothing_more(
    entries: list[SnapshotEntry], rule: SnapshotRetention, protected: set[str]
) -> None:
    left = [entry for entry in entries if entry not in prune(entries, rule, protected, NOW)]

    assert prune(left, rule, protected, NOW) == ()


@given(entry_lists, rules, protections, st.randoms())
def test_the_order_in_which_a_store_lists_does_not_matter(
    entries: list[SnapshotEntry], rule: SnapshotRetention, protected: set[str], random: object
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random

    assert prune(shuffled, rule, protected, NOW) == prune(entries, rule, protected, NOW)


@given(entry_lists, protections, st.integers(0, 200))
def test_bodies_that_are_reachable_or_young_stay(
    entries: list[SnapshotEntry], reachable: set[str], grace_hours: int
) -> None:
    gone = unreachable(entries, reachable, NOW, grace_hours=grace_hours)

    oldest_in_use = NOW - timedelta(hours=grace_hours)
    expected = {entry for entry in entries if entry.digest not in reachable and entry.stored_at < oldest_in_use}
    assert set(gone) == expected
