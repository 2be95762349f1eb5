"""What a database records against the scripts: what is to be done, or exactly how the two differ."""

from __future__ import annotations

import pytest

from policies.migrations.errors import HistoryDiffers
from policies.migrations.history import AppliedMigration, RecordState, SchemaVersion, plan_migration
from tests.migrations.scripts import scripts_of

SCRIPTS = scripts_of(
    "postgresql", *((f"CREATE TABLE t{n} (id int)", f"DROP TABLE t{n}" if n != 3 else None) for n in range(1, 5))
)


def applied(*versions: int, unfinished: int | None = None, state: RecordState = "applying") -> SchemaVersion:
    """A record of these versions, as the scripts are."""
    rows = [
        AppliedMigration(
            version=one.version,
            description=one.description,
            checksum=one.checksum,
            state="applied" if one.version != unfinished else state,
            applied_at="2026-01-31T10:00:00+00:00",
        )
        for one in SCRIPTS.migrations
        if one.version in (*versions, unfinished)
    ]
    whole = tuple(row for row in rows if row.version != unfinished)
    half = next((row for row in rows if row.version == unfinished), None)
    return SchemaVersion(version=max((row.version for row in whole), default=0), applied=whole, unfinished=half)


def test_up_is_what_is_missing_oldest_first() -> None:
    """And how each is taken back, newest first."""
    plan = plan_migration(SCRIPTS, applied(1), 4)
    assert [one.version for one in plan.migrations] == [2, 3, 4]
    assert [(step.migration, step.how) for step in plan.rollback_plan] == [
        ("shop/0004_step_4", "down_script"),
        ("shop/0003_step_3", "restore"),
        ("shop/0002_step_2", "down_script"),
    ]


def test_down_is_what_is_too_much_newest_first() -> None:
    """To an earlier version."""
    plan = plan_migration(SCRIPTS, applied(1, 2), 0)
    assert (plan.direction, [one.version for one in plan.migrations]) == ("down", [2, 1])


def test_nothing_is_to_be_done_at_the_target() -> None:
    """A plan of nothing is the same plan every time."""
    assert plan_migration(SCRIPTS, applied(1, 2), 2).migrations == ()
    assert plan_migration(SCRIPTS, applied(1), 3).id == plan_migration(SCRIPTS, applied(1), 3).id
    assert plan_migration(SCRIPTS, applied(1), 3).id != plan_migration(SCRIPTS, applied(1), 2).id


def test_an_irreversible_script_is_not_taken_back() -> None:
    """The reason that was declared is said."""
    with pytest.raises(HistoryDiffers, match="nothing can bring it back"):
        plan_migration(SCRIPTS, applied(1, 2, 3), 2)


def test_a_script_that_was_changed_after_it_was_applied_is_named_with_both_checksums() -> None:
    """The exact difference."""
    other = scripts_of("postgresql", ("CREATE TABLE t1 (id bigint)", "DROP TABLE t1"))
    with pytest.raises(HistoryDiffers, match=r"0001_step_1\.up\.sql was changed") as raised:
        plan_migration(other, applied(1), 1)
    assert len(raised.value.differences) == 1
    assert raised.value.differences[0].count("sha256:") == 2


def test_a_version_that_is_not_in_the_repository_is_named() -> None:
    """A tenant that is ahead of this commit."""
    older = scripts_of("postgresql", ("CREATE TABLE t1 (id int)", "DROP TABLE t1"))
    with pytest.raises(HistoryDiffers, match=r"0002_step_2 was applied at .*no such script"):
        plan_migration(older, applied(1, 2), 1)


def test_a_version_that_was_left_out_is_named() -> None:
    """Out of order: something newer was applied."""
    with pytest.raises(HistoryDiffers, match=r"0002_step_2.up.sql was never applied.*out of order"):
        plan_migration(SCRIPTS, applied(1, 4), 4)


@pytest.mark.parametrize("target", [-1, 5])
def test_a_target_without_a_script_is_refused(target: int) -> None:
    """Below nothing and beyond the newest."""
    with pytest.raises(HistoryDiffers, match="no version"):
        plan_migration(SCRIPTS, applied(1), target)


def test_what_is_half_done_comes_first() -> None:
    """Forwards, from the version that was begun."""
    plan = plan_migration(SCRIPTS, applied(1, unfinished=2), 4)
    assert [one.version for one in plan.migrations] == [2, 3, 4]


def test_what_is_half_taken_back_is_taken_back_further() -> None:
    """The version is still in the record, and not whole."""
    plan = plan_migration(SCRIPTS, applied(1, unfinished=2, state="reverting"), 0)
    assert (plan.direction, [one.version for one in plan.migrations]) == ("down", [2, 1])


@pytest.mark.parametrize(("state", "target", "asked"), [("applying", 1, 2), ("reverting", 4, 1)])
def test_what_is_half_done_is_not_turned_round(state: RecordState, target: int, asked: int) -> None:
    """It is said which version finishes it."""
    with pytest.raises(HistoryDiffers, match="half done") as raised:
        plan_migration(SCRIPTS, applied(1, unfinished=2, state=state), target)
    assert f"version {asked}" in raised.value.next_step
