"""Scripts in batches in the guarded change of one database: told as they go, taken back from the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.migrations.model import ScriptSet
from tests.migrations.backfills import BACK, FILL, Killed, counters, is_clean, killed_after
from tests.migrations.backup.scenes import store_in
from tests.migrations.scripts import scripts_of
from tests.migrations.targets import working
from workflows.clients.databases import Database, DatabaseAddress
from workflows.ledger import Ledger
from workflows.ledger import migrations_targets as runs
from workflows.migrations.backup.recorded import read_rows, write_rows
from workflows.migrations.protection import Protection

TABLE = ("CREATE TABLE orders (id integer PRIMARY KEY, done integer NOT NULL DEFAULT 0)", "DROP TABLE orders")
HEADER = "-- adx: batch=orders.id\n-- adx: batch_rows=3\n"


def fill(address: DatabaseAddress, down: str = f"{HEADER}{BACK}") -> ScriptSet:
    """The table, and a second version that writes its rows."""
    return scripts_of(address.engine, TABLE, (f"-- adx: phase=backfill\n{HEADER}{FILL}", down))


async def prepared(ledger: Ledger, database: Database, address: DatabaseAddress, *, is_broken: bool) -> None:
    """Version 1 with ten rows, of which the eighth may not be written."""
    async with working(ledger, address, fill(address), 0, 1) as work:
        assert (await work.deliver()).outcome == "delivered"
    for id_ in range(10):
        await database.execute_query("INSERT INTO orders (id) VALUES (%s)", (id_,))
    if is_broken:
        await database.execute_query("ALTER TABLE orders ADD CONSTRAINT sane CHECK (id <> 7 OR done = 0)")


async def test_batches_are_told_for_heartbeats(ledger: Ledger, database: Database, address: DatabaseAddress) -> None:
    """One line each, as for statements; the last says so."""
    await prepared(ledger, database, address, is_broken=False)
    told: list[str] = []
    async with working(ledger, address, fill(address), 1, 2, operation="two", tell=told.append) as work:
        assert (await work.deliver()).outcome == "delivered"
    assert len(told) == 4
    assert "shop/0002_step_2 up, statement 1 of 1, batch 2, 6 rows written" in told[1]
    assert told[3].endswith("batch 4, 10 rows written, the last (script 1 of 1)")


@pytest.mark.parametrize("has_backup", [False, True])
async def test_what_fails_in_the_middle_is_taken_back(
    ledger: Ledger, database: Database, address: DatabaseAddress, tmp_path: Path, has_backup: bool
) -> None:
    """By the down script alone, as far as it came, and with a copy of the rows."""
    await prepared(ledger, database, address, is_broken=True)
    protection = Protection(store_in(tmp_path) if has_backup else None)
    async with working(
        ledger, address, fill(address), 1, 2, operation="two", protection=protection, is_new=False
    ) as work:
        result = await work.deliver()
    assert (result.outcome, result.version) == ("restored", 1), result
    assert "batches done before: 2" in result.why
    assert await counters(database) == [0] * 10
    assert await is_clean(database)
    found = await database.get_schema_version()
    assert (found.version, found.unfinished) == (1, None)


async def test_a_worker_that_dies_between_batches_is_followed_by_one_that_finishes(
    ledger: Ledger, database: Database, address: DatabaseAddress
) -> None:
    """Each row is written once."""
    await prepared(ledger, database, address, is_broken=False)
    async with working(ledger, address, fill(address), 1, 2, operation="two") as work:
        plan = await work.planned()
        await work.protect(plan)
        with pytest.raises(Killed):
            await work.database.apply_migration(plan.migrations[0], observer=killed_after(2))
    async with working(ledger, address, fill(address), 1, 2, operation="two", holder="another") as work:
        assert (await work.deliver()).outcome == "delivered"
    assert await counters(database) == [1] * 10


async def left_half_way(ledger: Ledger, database: Database, address: DatabaseAddress, scripts: ScriptSet) -> None:
    """An operation that somebody terminated after two batches."""
    await prepared(ledger, database, address, is_broken=False)
    async with working(ledger, address, scripts, 1, 2, operation="two") as work:
        plan = await work.planned()
        await work.protect(plan)
        with pytest.raises(Killed):
            await work.database.apply_migration(plan.migrations[0], observer=killed_after(2))
    await runs.abandon(ledger, "staging", "two", "it was terminated")


@pytest.mark.parametrize("has_backup", [False, True])
@pytest.mark.parametrize("end", [2, 1])
async def test_another_operation_finishes_what_was_left_half_way_or_takes_it_back(
    ledger: Ledger, database: Database, address: DatabaseAddress, tmp_path: Path, *, has_backup: bool, end: int
) -> None:
    """Its backup is a dump: of what is half done nothing else holds how far it is."""
    await left_half_way(ledger, database, address, fill(address))
    protection = Protection(store_in(tmp_path) if has_backup else None)
    async with working(
        ledger,
        address,
        fill(address),
        2,
        end,
        operation="three",
        protection=protection,
        accepts_loss=True,
        is_new=False,
    ) as work:
        result = await work.deliver()
    assert (result.outcome, result.version) == ("delivered", end), result
    run = await runs.find_run(ledger, "three", result.target)
    assert run is not None
    assert (run.backup["record"]["strategy"] if run.backup else None) == ("dump" if has_backup else None)
    assert await counters(database) == [end - 1] * 10
    assert await is_clean(database)


@pytest.mark.parametrize("has_backup", [False, True])
async def test_a_way_back_that_fails_at_once_does_not_make_it_whole(
    ledger: Ledger, database: Database, address: DatabaseAddress, tmp_path: Path, has_backup: bool
) -> None:
    """Two batches of four are written: that is not the version, whatever the record of the way back says."""
    scripts = fill(address, f"{HEADER}{BACK.replace('done - 1', 'nothing - 1')}")
    await left_half_way(ledger, database, address, scripts)
    protection = Protection(store_in(tmp_path) if has_backup else None)
    async with working(
        ledger, address, scripts, 2, 1, operation="three", protection=protection, accepts_loss=True, is_new=False
    ) as work:
        result = await work.deliver()
    assert result.outcome == ("restored" if has_backup else "needs-operator"), result
    found = await database.get_schema_version()
    assert (found.version, found.unfinished is not None) == (1, True)
    assert await counters(database) == [1] * 6 + [0] * 4
    target = await runs.find_target(ledger, result.target)
    assert target is not None
    assert target.status == "needs-operator"


async def test_a_backup_of_the_record_holds_the_position(database: Database, address: DatabaseAddress) -> None:
    """Else the rows would come back as they were, and the position stay where it had got to."""
    (migration,) = scripts_of(address.engine, (f"-- adx: phase=backfill\n{HEADER}{FILL}", f"{HEADER}{BACK}")).migrations
    await database.execute_query(TABLE[0])
    for id_ in range(10):
        await database.execute_query("INSERT INTO orders (id) VALUES (%s)", (id_,))
    session = await database.session()
    for batch, rows in ((1, 3), (2, 6)):
        with pytest.raises(Killed):
            await database.apply_migration(migration, observer=killed_after(batch))
        if batch == 1:
            kept = await read_rows(await database.session())
        assert await counters(database) == [1] * rows + [0] * (10 - rows)
    await database.execute_query("UPDATE orders SET done = 0 WHERE id >= 3")
    await write_rows(session, kept)
    await database.apply_migration(migration)
    assert await counters(database) == [1] * 10
