"""Each strategy on both servers: what it brings back, what it refuses, what it leaves."""

from __future__ import annotations

import pytest

from policies.migrations.catalog import compare, is_same
from tests.migrations.backup.scenes import ADD, DROP, FILL, ORDERS, PLANS, migrated, orders, planned, prepared
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.migrations.backup import (
    BackupRefused,
    BackupUnusable,
    Strategy,
    make_backup,
    plan_backup,
    restore_backup,
)
from workflows.snapshots import SnapshotStore

STRATEGIES: tuple[Strategy, ...] = ("down_script", "table_copy", "dump")
WRITE = "UPDATE orders SET amount = 99 WHERE id = 2"


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_restore_brings_back_schema_rows_and_record(
    database: Database, address: DatabaseAddress, store: SnapshotStore, strategy: Strategy
) -> None:
    """And says so only because it looked; called again it finds that it was done."""
    scene = await migrated(database, address, store, PLANS[strategy])
    assert scene.record.strategy == strategy
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (report.outcome, report.losses, report.differences) == ("restored", (), ())
    assert await orders(database) == scene.rows
    assert is_same(compare(scene.catalog, await database.catalog()))
    found = await database.get_schema_version()
    assert (found.version, found.unfinished) == (1, None)
    again = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (again.outcome, again.was_restored_before) == ("restored", True)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_nothing_is_left_on_the_server_but_copies_that_are_still_backups(
    database: Database, address: DatabaseAddress, store: SnapshotStore, strategy: Strategy
) -> None:
    """What was put aside for the restore is gone."""
    scene = await migrated(database, address, store, PLANS[strategy])
    await restore_backup(database, scene.record, store, mark=scene.mark)
    rows = await database.execute_query(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'adx\\_%'"
    )
    assert len([name for (name,) in rows if scene.record.backup_id in name]) == (strategy == "table_copy")


@pytest.mark.parametrize("strategy", ["table_copy", "dump"])
async def test_writes_after_the_migration_are_refused_to_be_lost(
    database: Database, address: DatabaseAddress, store: SnapshotStore, strategy: Strategy
) -> None:
    """The refusal names the table and changes nothing; who approves is in the report, and then the rows are lost."""
    scene = await migrated(database, address, store, PLANS[strategy])
    await database.execute_query(WRITE)
    refused = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert (refused.outcome, refused.approved_by) == ("refused", "")
    assert [(one.table, one.rows) for one in refused.losses] == [("orders", 1)]
    assert (await database.get_schema_version()).version == 2
    assert await database.execute_query("SELECT amount FROM orders WHERE id = 2") == [(99,)]
    report = await restore_backup(database, scene.record, store, mark=scene.mark, lose_writes_approved_by="ann")
    assert (report.outcome, report.approved_by, len(report.losses)) == ("restored", "ann", 1)
    assert await orders(database) == scene.rows


async def test_a_down_script_keeps_what_was_written_since(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Rows stay where they are; only values in the new column count, and old services write none."""
    scene = await migrated(database, address, store, ADD)
    await database.execute_query(WRITE)
    await database.execute_query("INSERT INTO orders (id) VALUES (4)")
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert report.outcome == "restored"
    assert [row[0::2] for row in await orders(database)] == [(1, 10), (2, 99), (3, None), (4, None)]


async def test_values_in_a_new_column_are_writes(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """The down script would drop them with it."""
    scene = await migrated(database, address, store, ADD)
    await database.execute_query("UPDATE orders SET extra = 'new' WHERE id = 1")
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert report.outcome == "refused"
    assert [(one.table, one.what) for one in report.losses] == [("orders", "values in new columns (extra)")]


async def test_rows_in_a_table_that_the_migration_made_are_writes(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """A table that came later still is, too."""
    pair = ("CREATE TABLE extras (id integer PRIMARY KEY)", "DROP TABLE extras")
    scene = await migrated(database, address, store, pair)
    await database.execute_query("INSERT INTO extras VALUES (1), (2)")
    await database.execute_query("CREATE TABLE others (id integer PRIMARY KEY)")
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert [(one.table, one.rows) for one in report.losses] == [("extras", 2), ("others", 0)]


async def test_without_a_mark_the_migration_s_own_writes_cannot_be_told_from_others(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """So it is asked; with the mark they are known to be its own."""
    scene = await migrated(database, address, store, FILL, "dump")
    refused = await restore_backup(database, scene.record, store)
    assert (refused.outcome, [one.table for one in refused.losses]) == ("refused", ["orders"])
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert report.outcome == "restored"
    assert await orders(database) == scene.rows


async def test_what_others_wrote_during_the_migration_counts(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Where the migration itself changes no row, the backup is what rows are compared with."""
    scripts = await prepared(database, address, ADD)
    plan = await planned(database, scripts)
    record = await make_backup(database, await plan_backup(database, plan, strategy="dump"), store)
    await database.execute_query(WRITE)
    await database.apply_migration(scripts.migrations[1])
    report = await restore_backup(database, record, store)
    assert (report.outcome, [one.what for one in report.losses]) == ("refused", ["rows written since the backup"])


async def test_a_failed_migration_is_taken_back_from_where_it_stopped(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """One statement a script was done or was not, also where the server's record says it was begun."""
    text = "ALTER TABLE orders ADD COLUMN extra varchar(20) NOT NULL DEFAULT nowhere()"
    scripts = await prepared(database, address, (text, "ALTER TABLE orders DROP COLUMN extra"))
    record = await make_backup(database, await plan_backup(database, await planned(database, scripts)), store)
    assert record.strategy == "down_script"
    with pytest.raises(Exception, match="nowhere"):
        await database.apply_migration(scripts.migrations[1])
    report = await restore_backup(database, record, store)
    assert (report.outcome, report.differences) == ("restored", ())
    found = await database.get_schema_version()
    assert (found.version, found.unfinished) == (1, None)


async def test_a_stale_record_does_not_come_back_with_a_dump(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """Progress that somebody left in the tables is replaced by what was there at the backup."""
    scene = await migrated(database, address, store, PLANS["dump"])
    await database.execute_query("UPDATE adx_migrations SET state = 'applying' WHERE version = 2")
    await database.execute_query("INSERT INTO adx_migration_steps VALUES (2, 'up', 1, 'x', 'begun', 'y')")
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert report.outcome == "restored"
    assert (await database.get_schema_version()).unfinished is None
    assert await database.execute_query("SELECT count(*) FROM adx_migration_steps") == [(0,)]
    await database.apply_migration(scene.plan.migrations[0])


async def test_a_half_done_schema_is_only_kept_by_a_dump(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """It is chosen by itself, and then it comes back half done, as it was; a copy that is asked for is refused."""
    scripts = await prepared(database, address, DROP)
    plan = await planned(database, scripts)
    assert (await plan_backup(database, plan)).strategy == "table_copy"
    await database.execute_query("UPDATE adx_migrations SET state = 'applying'")
    with pytest.raises(BackupRefused, match="half done"):
        await make_backup(database, await plan_backup(database, plan, strategy="table_copy"), store)
    record = await make_backup(database, await plan_backup(database, plan), store)
    assert (record.strategy, record.reason) == ("dump", "version 1 is half done, and only a dump keeps that")
    await database.execute_query("DELETE FROM adx_migrations")
    assert (await restore_backup(database, record, store)).outcome == "restored"
    assert (await database.get_schema_version()).unfinished is not None


async def test_a_backup_is_restored_into_its_own_schema_only(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """A record that reaches another database is refused before anything is done."""
    scene = await migrated(database, address, store, ADD)
    if address.engine == "postgresql":
        await database.execute_query("CREATE SCHEMA other")
        other = address.at(schema="other")
    else:
        other = address.at(database="mysql")
    async with open_database(other) as elsewhere:
        with pytest.raises(BackupUnusable, match="is of"):
            await restore_backup(elsewhere, scene.record, store)


async def test_an_empty_schema_is_backed_up_and_restored(
    database: Database, address: DatabaseAddress, store: SnapshotStore
) -> None:
    """What the first migration made is gone again."""
    scripts = scripts_of(address.engine, ("CREATE TABLE orders (id integer PRIMARY KEY)", None))
    plan = await planned(database, scripts)
    record = await make_backup(database, await plan_backup(database, plan), store)
    assert (record.strategy, record.rows) == ("dump", 0)
    await database.apply_migration(scripts.migrations[0])
    assert (await restore_backup(database, record, store)).outcome == "restored"
    assert (await database.catalog()).objects == {}
    assert (await database.get_schema_version()).version == 0


@pytest.mark.parametrize(
    ("pair", "what"),
    [
        ((ORDERS.replace("TABLE", "TABLE IF NOT EXISTS"), "DROP TABLE orders"), "orders"),
        (
            ("ALTER TABLE orders ADD COLUMN IF NOT EXISTS note varchar(20)", "ALTER TABLE orders DROP COLUMN note"),
            "orders.note",
        ),
    ],
)
async def test_what_is_made_where_it_is_missing_and_is_there_comes_back_from_a_dump(
    database: Database, address: DatabaseAddress, store: SnapshotStore, pair: tuple[str, str], what: str
) -> None:
    """What takes the plan back drops it, with the values that it had before."""
    scene = await migrated(database, address, store, pair)
    assert scene.record.strategy == "dump"
    assert scene.record.reason.startswith(f"{what} is there already")
    report = await restore_backup(database, scene.record, store, mark=scene.mark)
    assert report.outcome == "restored", report
    assert await orders(database) == scene.rows


@pytest.mark.parametrize(
    "pair",
    [
        ("CREATE TABLE IF NOT EXISTS lines (id integer)", "DROP TABLE lines"),
        ("ALTER TABLE orders ADD COLUMN IF NOT EXISTS extra integer", "ALTER TABLE orders DROP COLUMN extra"),
    ],
)
async def test_what_was_missing_needs_no_copy(
    database: Database, address: DatabaseAddress, pair: tuple[str, str]
) -> None:
    scripts = await prepared(database, address, pair)
    plan = await planned(database, scripts)
    assert (await plan_backup(database, plan)).strategy == "down_script"
    await database.execute_query("UPDATE adx_migrations SET state = 'applying'")
    assert (await plan_backup(database, plan)).strategy == "down_script"
