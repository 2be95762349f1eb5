"""How a unit got where it is: every change of its state, with what it was before and the rollout that made it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from alembic import command
from sqlalchemy import text

from tests.ledger.conftest import new_rollout
from workflows.ledger import Ledger, audit, fencing, migrator, rollouts, units
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.models import AuditEntry
from workflows.ledger.unit_history import UnitStory, changes_of, stories
from workflows.ledger.units import UnitState

ACME, GLOBEX = "tenant/acme", "tenant/globex"
OLD = UnitState(unit=ACME, status="applied", digest="d-old", commit="c-old")
NEW = UnitState(unit=ACME, status="applied", digest="d-new", commit="c-new")
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
BACK = UnitState(unit=ACME, status="restored", digest="d-old", commit="c-old", reason="the quota is exceeded")


async def recorded(ledger: Ledger, rollout_id: str, *states: UnitState, environment: str = "staging") -> None:
    """A rollout that leaves units in ``states``, one after the other."""
    await rollouts.start(ledger, new_rollout(rollout_id, commit=f"commit of {rollout_id}", environment=environment))
    token = await fencing.acquire(ledger, environment, rollout_id)
    for state in states:
        await units.record(ledger, environment, rollout_id, [state], fencing_token=token)


async def story(ledger: Ledger, unit: str = ACME) -> UnitStory:
    """The unit in the one environment that knows it."""
    (found,) = await stories(ledger, unit)
    return found


async def waiting(ledger: Ledger) -> int:
    """How many transactions wait for a lock now; asked in one of its own, which would see the same again and again."""
    async with ledger.transaction() as connection:
        return int(await connection.scalar(WAITING))


def changes(found: UnitStory) -> list[tuple[str, str, str | None, str | None]]:
    """Rollout, status, and from which digest to which; newest first."""
    told = [entry.change for entry in found.changes]
    return [(change.rollout_id, change.status, change.from_digest, change.digest) for change in told]


async def test_each_change_says_what_the_unit_was_before_and_who_asked(ledger: Ledger) -> None:
    """Delivered, delivered anew, and restored by a third rollout."""
    await recorded(ledger, "first", OLD)
    await recorded(ledger, "second", NEW)
    await recorded(ledger, "third", msgspec.structs.replace(NEW, status="restored", reason="no pod is ready"))

    found = await story(ledger)

    assert changes(found) == [
        ("third", "restored", "d-new", "d-new"),
        ("second", "applied", "d-old", "d-new"),
        ("first", "applied", None, "d-old"),
    ]
    newest, oldest = found.changes[0], found.changes[-1]
    assert (newest.change.reason, newest.rollout.commit) == ("no pod is ready", "commit of third")
    assert (newest.rollout.requested_by, oldest.change.from_commit) == ("ada", None)
    assert (found.now.digest, found.now.rollout_id) == ("d-new", "third")


async def test_a_unit_that_a_rollout_delivered_and_took_back_has_both_in_its_history(ledger: Ledger) -> None:
    """The rollout's own row keeps the last only."""
    await recorded(ledger, "first", OLD)
    await recorded(ledger, "second", NEW, BACK)

    assert changes(await story(ledger))[:2] == [
        ("second", "restored", "d-new", "d-old"),
        ("second", "applied", "d-old", "d-new"),
    ]


async def test_what_is_written_again_is_told_once(ledger: Ledger) -> None:
    """After a lost answer, and by a later attempt with a newer token."""
    await recorded(ledger, "first", OLD, OLD)
    token = await fencing.renew(ledger, "staging", "first", "again")
    await units.record(ledger, "staging", "first", [OLD], fencing_token=token)

    assert len((await story(ledger)).changes) == 1


async def test_the_same_state_written_by_two_at_once_is_told_once(ledger: Ledger) -> None:
    """An attempt whose answer was lost may still be writing when the next one writes: both wait for the same lock."""
    await recorded(ledger, "first", OLD)
    token = await fencing.renew(ledger, "staging", "first", "again")
    async with ledger.transaction() as connection:
        await connection.execute(text("SELECT 1 FROM rollout_units FOR UPDATE"))
        write = [
            asyncio.create_task(units.record(ledger, "staging", "first", [NEW], fencing_token=token)) for _ in range(2)
        ]
        while await waiting(ledger) != len(write):
            await asyncio.sleep(0.01)
    await asyncio.gather(*write)

    assert len((await story(ledger)).changes) == 2


async def test_a_writer_that_comes_back_late_adds_nothing(ledger: Ledger) -> None:
    """The history is written in the transaction that checks the token."""
    await recorded(ledger, "first", OLD)
    stale = await fencing.acquire(ledger, "staging", "first")
    await fencing.acquire(ledger, "staging", "second")

    with pytest.raises(StaleFencingToken):
        await units.record(ledger, "staging", "first", [NEW], fencing_token=stale)
    assert len((await story(ledger)).changes) == 1


async def test_each_environment_has_a_story_of_its_own(ledger: Ledger) -> None:
    """By name; a unit that nobody knows has none."""
    await recorded(ledger, "first", OLD)
    await recorded(ledger, "second", NEW, environment="production")

    assert [found.now.environment for found in await stories(ledger, ACME)] == ["production", "staging"]
    (only,) = await stories(ledger, ACME, environment="staging")
    assert changes(only) == [("first", "applied", None, "d-old")]
    assert await stories(ledger, GLOBEX) == ()


async def test_the_version_of_a_service_is_that_of_its_inputs(ledger: Ledger) -> None:
    """A restore to inputs whose version was recorded before finds it; others say nothing."""
    service = UnitState(unit="service/cart", status="applied", digest="d1", commit="c1", version="v1.2.0")
    newer = msgspec.structs.replace(service, digest="d2", version="v1.3.0")
    await recorded(ledger, "first", service)
    await recorded(ledger, "second", newer, msgspec.structs.replace(service, status="restored", version=None))

    assert (await story(ledger, "service/cart")).version == "v1.2.0"
    await recorded(ledger, "third", OLD)
    assert (await story(ledger)).version is None


async def test_what_people_said_about_the_unit_is_part_of_its_story(ledger: Ledger) -> None:
    """From the audit trail; a unit whose name only begins alike is another one."""
    await recorded(ledger, "first", OLD)
    for number, (action, reason) in enumerate(
        [
            ("rollout.fleet.skip", f"{ACME}: not on a Friday"),
            ("rollout.fleet.retry", ACME),
            ("rollout.fleet.skip", f"{ACME}-labs: another tenant"),
            ("rollout.fleet.pause", f"{ACME}: said of the whole rollout"),
        ]
    ):
        detail = {"rollout_id": "first", "reason": reason}
        entry = AuditEntry(
            key=str(number), actor="ines", source="cli", action=action, environment="staging", detail=detail
        )
        await audit.append(ledger, entry)

    said = [(one.what, one.by, one.reason) for one in (await story(ledger)).decisions]

    assert said == [("retry", "ines", ""), ("skip", "ines", "not on a Friday")]


async def test_only_the_newest_changes_are_read(ledger: Ledger) -> None:
    """As many as asked for."""
    for number in range(5):
        await recorded(ledger, f"rollout-{number}", msgspec.structs.replace(OLD, digest=f"d{number}"))

    (found,) = await stories(ledger, ACME, limit=2)

    assert changes(found) == [("rollout-4", "applied", "d3", "d4"), ("rollout-3", "applied", "d2", "d3")]


async def test_changes_are_read_page_by_page(ledger: Ledger) -> None:
    """Those of one unit in one environment; the last page is short."""
    for number in range(3):
        await recorded(ledger, f"rollout-{number}", msgspec.structs.replace(OLD, digest=f"d{number}"))
    await recorded(ledger, "of-another", msgspec.structs.replace(OLD, unit=GLOBEX))
    await recorded(ledger, "elsewhere", NEW, environment="production")

    first = await changes_of(ledger, "staging", ACME, limit=2)
    second = await changes_of(ledger, "staging", ACME, before=first[-1].sequence, limit=2)

    assert [[change.digest for change in page] for page in (first, second)] == [["d2", "d1"], ["d0"]]


BEFORE_THE_HISTORY = """
INSERT INTO environments (name) VALUES ('staging');
INSERT INTO rollouts (id, environment, kind, commit, status, requested_by, source) VALUES
    ('first', 'staging', 'deliver', 'c-old', 'delivered', 'ada', 'cli'),
    ('second', 'staging', 'deliver', 'c-new', 'delivered', 'ada', 'cli');
INSERT INTO rollout_units (rollout_id, unit, environment, status, digest, commit, fencing_token, updated_at) VALUES
    ('second', 'tenant/acme', 'staging', 'applied', 'd-new', 'c-new', 2, '2026-02-01'),
    ('first', 'tenant/acme', 'staging', 'applied', 'd-old', 'c-old', 1, '2026-01-01'),
    ('first', 'tenant/globex', 'staging', 'applied', 'd-globex', 'c-old', 1, '2026-01-01');
INSERT INTO units (rollout_id, unit, environment, status, digest, commit, fencing_token)
    SELECT DISTINCT ON (unit) rollout_id, unit, environment, status, digest, commit, fencing_token
    FROM rollout_units ORDER BY unit, updated_at DESC;
"""


async def test_what_rollouts_left_before_there_was_a_history_is_taken_over(ledger_url: str) -> None:
    """The last state in each rollout, in order."""
    async with await Ledger.open(ledger_url) as ledger:
        async with ledger.transaction() as connection:
            await connection.run_sync(lambda one: command.upgrade(migrator.configuration(one), "0003"))
            for statement in BEFORE_THE_HISTORY.split(";\n")[:-1]:
                await connection.execute(text(statement))
        await ledger.migrate()

        assert changes(await story(ledger)) == [
            ("second", "applied", "d-old", "d-new"),
            ("first", "applied", None, "d-old"),
        ]
        assert changes(await story(ledger, GLOBEX)) == [("first", "applied", None, "d-globex")]
