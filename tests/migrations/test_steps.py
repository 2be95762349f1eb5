"""Statements that cannot share a transaction: each is done once, wherever a crash falls."""

from __future__ import annotations

import asyncio

import pytest

from policies.migrations.model import Migration
from tests.migrations.clients import AT_ONCE, through
from tests.migrations.scripts import scripts_of
from tests.support.tcp_proxy import proxied
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.errors import (
    DatabaseUnreachable,
    LockTimedOut,
    NotInOrder,
    StatementRefused,
    StepUncertain,
)
from workflows.clients.databases.interface_types import StepDone

NONE = "-- adx: transaction=none\n"
CONCURRENTLY = f"{NONE}CREATE INDEX CONCURRENTLY notes ON orders (note)"
TABLE = "CREATE TABLE orders (id integer PRIMARY KEY, note varchar(20))"
STEPS = f"{NONE}{TABLE}; INSERT INTO orders VALUES (1, 'a'); ALTER TABLE orders ADD COLUMN more int"


class Killed(Exception):
    """The process is gone."""


def one(address: DatabaseAddress, up: str, down: str = "DROP TABLE orders") -> Migration:
    """One migration."""
    return scripts_of(address.engine, (up, down)).migrations[0]


def killed_after(step: int) -> object:
    """An observer that ends the process after a step."""

    def observe(told: StepDone) -> None:
        if told.step == step:
            raise Killed

    return observe


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_crash_between_two_statements_resumes_exactly_there(address: DatabaseAddress, step: int) -> None:
    """What was done is not done again, what was not is."""
    migration = one(address, STEPS)
    async with open_database(address) as database:
        with pytest.raises(Killed):
            await database.apply_migration(migration, observer=killed_after(step))  # type: ignore[arg-type]
    told: list[StepDone] = []
    async with open_database(address) as database:
        found = await database.get_schema_version()
        assert found.version == 0
        assert found.unfinished is not None
        assert found.unfinished.state == "applying"
        assert (await database.apply_migration(migration, observer=told.append)).outcome == "applied"
        assert [row.was_done for row in told] == [number <= step for number in (1, 2, 3)]
        assert await database.execute_query("SELECT id, more FROM orders") == [(1, None)]
        assert (await database.get_schema_version()).version == 1


@pytest.mark.parametrize("is_heard", [False, True])
@pytest.mark.parametrize("skip", range(10))
async def test_a_connection_lost_at_any_record_of_a_step_does_nothing_twice(
    address: DatabaseAddress, skip: int, is_heard: bool
) -> None:
    """Cut at each mention of adx_migration_steps: made, read, begun, done; heard by the server or not."""
    migration = one(address, STEPS)
    answer = {"postgresql": b"Z\x00\x00\x00\x05", "mysql": b"\x00\x00\x00"}[address.engine] if is_heard else b""
    with proxied(address.host, address.port) as proxy:
        async with open_database(through(address, proxy.port)) as database:
            proxy.cut_at(b"adx_migration_steps", answer, skip=skip)
            for _ in range(3):
                try:
                    await database.apply_migration(migration)
                except DatabaseUnreachable:
                    continue
                break
            assert (await database.get_schema_version()).version == 1
            assert await database.execute_query("SELECT id, more FROM orders") == [(1, None)]


async def test_a_statement_that_was_run_and_not_recorded_is_found_in_the_catalog(
    mysql_address: DatabaseAddress,
) -> None:
    """A change of a schema is whole or not at all; the catalog before it was kept."""
    migration = one(mysql_address, TABLE)
    with proxied(mysql_address.host, mysql_address.port) as proxy:
        async with open_database(through(mysql_address, proxy.port)) as database:
            proxy.cut_at(b"'done'")
            with pytest.raises(DatabaseUnreachable):
                await database.apply_migration(migration)
            assert proxy.cuts == 1
            assert "table orders" in (await database.catalog()).objects
            await database.apply_migration(migration)
            assert (await database.get_schema_version()).version == 1


async def test_a_call_that_may_have_been_done_is_not_guessed_at(mysql_address: DatabaseAddress) -> None:
    """A procedure may change rows, which no catalog shows."""
    up = "CREATE PROCEDURE p() BEGIN SELECT 1; END; CALL p()"
    migration = one(mysql_address, up, "DROP PROCEDURE p")
    with proxied(mysql_address.host, mysql_address.port) as proxy:
        async with open_database(through(mysql_address, proxy.port)) as database:
            proxy.cut_at(b"'done'", skip=1)
            with pytest.raises(DatabaseUnreachable):
                await database.apply_migration(migration)
            with pytest.raises(StepUncertain, match="CALL"):
                await database.apply_migration(migration)


async def test_a_half_done_migration_is_not_continued_with_another_text(address: DatabaseAddress) -> None:
    """Its script was changed since."""
    async with open_database(address) as database:
        with pytest.raises(Killed):
            await database.apply_migration(one(address, STEPS), observer=killed_after(1))  # type: ignore[arg-type]
        with pytest.raises(NotInOrder):
            await database.apply_migration(one(address, STEPS.replace("'a'", "'b'")))
        with pytest.raises(NotInOrder, match="half done"):
            await database.apply_migration(one(address, STEPS), "down")


async def indexes(database: Database) -> list[str]:
    """The definitions of the table's indexes."""
    found = (await database.catalog()).objects["table orders"].attributes
    return [text for name, text in found.items() if name.startswith("index")]


async def test_an_invalid_index_is_found_and_repaired(postgres_address: DatabaseAddress) -> None:
    """A concurrent build that failed leaves an index that nobody uses and everybody pays for."""
    async with open_database(postgres_address) as database:
        await database.execute_query(TABLE)
        await database.execute_query("INSERT INTO orders VALUES (1, 'a'), (2, 'a')")
        with pytest.raises(StatementRefused):
            await database.execute_query("CREATE UNIQUE INDEX CONCURRENTLY notes ON orders (note)")
        assert "INVALID" in (await indexes(database))[0]
        await database.execute_query("DELETE FROM orders WHERE id = 2")
        await database.apply_migration(one(postgres_address, CONCURRENTLY, "DROP INDEX notes"))
        assert await indexes(database) == ["CREATE INDEX notes ON orders USING btree (note)"]


async def test_an_index_of_that_name_that_is_somebody_else_s_is_not_taken_for_ours(
    postgres_address: DatabaseAddress,
) -> None:
    """It was there before the step began."""
    async with open_database(postgres_address) as database:
        await database.execute_query(TABLE)
        await database.execute_query("CREATE INDEX notes ON orders (id)")
        with pytest.raises(StatementRefused, match="already exists"):
            await database.apply_migration(one(postgres_address, CONCURRENTLY, "DROP INDEX notes"))
        assert await indexes(database) == ["CREATE INDEX notes ON orders USING btree (id)"]


async def test_a_concurrent_index_that_fails_leaves_nothing(postgres_address: DatabaseAddress) -> None:
    """The next attempt starts from a clean schema."""
    async with open_database(postgres_address) as database:
        await database.execute_query(TABLE)
        await database.execute_query("INSERT INTO orders VALUES (1, 'a'), (2, 'a')")
        unique = one(postgres_address, CONCURRENTLY.replace("CREATE INDEX", "CREATE UNIQUE INDEX"), "DROP INDEX notes")
        with pytest.raises(StatementRefused, match="could not create unique index"):
            await database.apply_migration(unique)
        assert await indexes(database) == []
        await database.execute_query("DELETE FROM orders WHERE id = 2")
        await database.apply_migration(unique)
        assert await indexes(database) == ["CREATE UNIQUE INDEX notes ON orders USING btree (note)"]


async def test_a_concurrent_index_that_was_built_and_not_recorded_is_kept(postgres_address: DatabaseAddress) -> None:
    """It is there and valid."""
    migration = one(postgres_address, CONCURRENTLY, "DROP INDEX notes")
    with proxied(postgres_address.host, postgres_address.port) as proxy:
        async with open_database(through(postgres_address, proxy.port)) as database:
            await database.execute_query(TABLE)
            proxy.cut_at(b"CREATE INDEX CONCURRENTLY", b"CREATE INDEX")
            with pytest.raises(DatabaseUnreachable):
                await database.apply_migration(migration)
            oid = await database.execute_query("SELECT 'notes'::regclass::oid")
            await database.apply_migration(migration)
            assert await database.execute_query("SELECT 'notes'::regclass::oid") == oid
            assert (await database.get_schema_version()).version == 1


# Of this database alone: pg_locks lists those of the whole server, where other tests wait for theirs.
WAITING = "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"


async def test_a_cancelled_concurrent_index_is_repaired_by_the_next_call(postgres_address: DatabaseAddress) -> None:
    """It waits for a long transaction, is cancelled on the server, and leaves its invalid index for then."""
    migration = one(postgres_address, CONCURRENTLY, "DROP INDEX notes")
    async with (
        open_database(postgres_address) as database,
        open_database(postgres_address) as other,
        open_database(postgres_address) as observer,  # within a transaction the list of sessions would stay the same
    ):
        await other.execute_query(TABLE)
        async with other.begin_transaction() as transaction:
            await transaction.execute("INSERT INTO orders VALUES (1, 'a')")
            task = asyncio.ensure_future(database.apply_migration(migration))
            while not await observer.execute_query(WAITING):
                await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await observer.execute_query(WAITING) == []
        assert (await database.apply_migration(migration)).outcome == "applied"
        assert await indexes(database) == ["CREATE INDEX notes ON orders USING btree (note)"]


async def test_a_lock_timeout_of_a_concurrent_index_leaves_what_the_next_call_repairs(
    postgres_address: DatabaseAddress,
) -> None:
    """Dropping the half-built index waits for the same lock, and no longer than the script allows."""
    migration = one(postgres_address, f"-- adx: lock_timeout_ms=100\n{CONCURRENTLY}", "DROP INDEX notes")
    async with open_database(postgres_address, AT_ONCE) as database, open_database(postgres_address) as other:
        await other.execute_query(TABLE)
        async with other.begin_transaction() as transaction:
            await transaction.execute("INSERT INTO orders VALUES (1, 'a')")
            with pytest.raises(LockTimedOut, match="2 attempts"):
                await database.apply_migration(migration)
        await database.apply_migration(migration)
        assert await indexes(database) == ["CREATE INDEX notes ON orders USING btree (note)"]


async def test_down_step_by_step_resumes_too(address: DatabaseAddress) -> None:
    """The version stays in the record until the last statement of its down script is done."""
    down = f"{NONE}DELETE FROM orders; DROP TABLE orders"
    migration = one(address, STEPS, down)
    async with open_database(address) as database:
        await database.apply_migration(migration)
        with pytest.raises(Killed):
            await database.apply_migration(migration, "down", observer=killed_after(1))  # type: ignore[arg-type]
        found = await database.get_schema_version()
        assert found.unfinished is not None
        assert found.unfinished.state == "reverting"
        assert (await database.apply_migration(migration, "down")).outcome == "applied"
        assert (await database.get_schema_version()).applied == ()
        assert (await database.catalog()).objects == {}
