"""One at a time, locks that are held, statements that take too long, and what is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from tests.migrations.clients import AT_ONCE, SLEEP, TABLE, migrations, running, tables, until_ended
from workflows.clients.databases import Database, DatabaseAddress, Limits, LockPatience, open_database
from workflows.clients.databases.errors import LockTimedOut, MigrationLocked, StatementTimedOut


async def test_a_schema_is_migrated_by_one_at_a_time(database: Database, address: DatabaseAddress) -> None:
    """The second is told who holds the lock; when the first ends, the lock is free."""
    (first,) = migrations(address, (TABLE, "DROP TABLE orders"))
    async with open_database(address, AT_ONCE) as other:
        await database.apply_migration(first)
        with pytest.raises(MigrationLocked, match="of the server"):
            await other.apply_migration(first, "down")
        await database.close()
    async with open_database(address) as next_one:  # patient: the server takes a moment to see that the first has gone
        assert (await next_one.apply_migration(first, "down")).outcome == "applied"


async def test_two_workers_at_once_apply_a_migration_once(address: DatabaseAddress) -> None:
    """Whoever comes second finds it done."""
    (first,) = migrations(address, (f"{TABLE}; INSERT INTO orders VALUES (1, 'a')", "DROP TABLE orders"))

    async def apply() -> str:
        async with open_database(address) as opened:
            return (await opened.apply_migration(first)).outcome

    assert sorted(await asyncio.gather(apply(), apply(), apply())) == ["already", "already", "applied"]


async def test_a_lock_on_the_table_is_waited_for_only_so_long(database: Database, address: DatabaseAddress) -> None:
    """It is tried again, then told with the number of attempts; the schema is as it was."""
    await database.execute_query(TABLE)
    before = await database.catalog()
    change = "-- adx: lock_timeout_ms=100\nALTER TABLE orders ADD COLUMN more int"
    (first,) = migrations(address, (change, "ALTER TABLE orders DROP COLUMN more"))
    async with open_database(address) as other, open_database(address, AT_ONCE) as patient:
        async with other.begin_transaction() as transaction:
            await transaction.execute("SELECT * FROM orders")
            with pytest.raises(LockTimedOut, match=r"0001_step_1\.up\.sql:2: .*\(2 attempts\)"):
                await patient.apply_migration(first)
            assert await database.catalog() == before
        assert (await patient.apply_migration(first)).outcome == "applied"


async def test_a_lock_that_is_given_back_in_time_only_costs_attempts(address: DatabaseAddress) -> None:
    """The delays are drawn; here the draw gives the lock back."""
    async with open_database(address) as other:
        await other.execute_query(TABLE)
        session = await other.session()
        await session.begin()
        await session.execute("SELECT * FROM orders")
        ended: list[asyncio.Task[None]] = []

        def draw(_: float, longest: float) -> float:
            if not ended:
                ended.append(asyncio.ensure_future(session.rollback()))
            return longest

        patience = LockPatience(attempts=20, first_delay_seconds=0.2, longest_delay_seconds=0.2, draw=draw)
        change = "-- adx: lock_timeout_ms=100\nALTER TABLE orders ADD COLUMN more int"
        (first,) = migrations(address, (change, "ALTER TABLE orders DROP COLUMN more"))
        async with open_database(address, patience) as waiting:
            done = await waiting.apply_migration(first)
        await asyncio.gather(*ended)
    assert done.outcome == "applied"
    assert done.lock_timeouts >= 1


async def test_a_statement_that_runs_too_long_is_ended_on_the_server(
    database: Database, address: DatabaseAddress
) -> None:
    """The limit of its script; nothing of it stays."""
    text = f"-- adx: statement_timeout_ms=200\n{SLEEP[address.engine].format(60)}"
    (first,) = migrations(address, (text, "DROP TABLE slow"))
    with pytest.raises(StatementTimedOut, match=r"0001_step_1\.up\.sql:2"):
        await database.apply_migration(first)
    async with open_database(address) as other:
        await until_ended(lambda: running(other, address))
    assert await tables(database) == []


async def test_cancelling_ends_the_statement_on_the_server(database: Database, address: DatabaseAddress) -> None:
    """Not only the wait for it; the lock of the schema is free at once."""
    (first,) = migrations(address, (SLEEP[address.engine].format(60), "DROP TABLE slow"))
    async with open_database(address) as applying:
        task = asyncio.ensure_future(applying.apply_migration(first))
        while not await running(database, address):
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_ended(lambda: running(database, address))
        assert await tables(database) == []
    (quick,) = migrations(address, (SLEEP[address.engine].format(0), "DROP TABLE slow"))
    if address.engine == "postgresql":
        assert (await database.apply_migration(quick)).outcome == "applied"


async def test_limits_end_with_their_transaction(postgres_address: DatabaseAddress) -> None:
    """What comes afterwards has none."""
    async with open_database(postgres_address) as database:
        async with database.begin_transaction(Limits(100, 200)) as transaction:
            assert await transaction.execute("SELECT current_setting('lock_timeout')") == [("100ms",)]
        assert await database.execute_query("SELECT current_setting('lock_timeout')") == [("0",)]
