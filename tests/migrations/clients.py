"""What tests of the databases' clients share: scripts, statements that take long, a way through a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from policies.migrations.model import Migration
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import Database, DatabaseAddress, LockPatience

TABLE = "CREATE TABLE orders (id integer PRIMARY KEY, note varchar(20))"
ENDS_WITHIN_SECONDS = 20  # what tests leave running takes longer by itself
AT_ONCE = LockPatience(attempts=2, first_delay_seconds=0.01, migration_lock_seconds=0.5)
SLEEP = {
    "postgresql": "CREATE TABLE slow AS SELECT pg_sleep({})::text AS x",
    "mysql": "CREATE TABLE slow AS SELECT SLEEP({}) AS x",
}
COMMIT = {"postgresql": (b"COMMIT", b"COMMIT\x00"), "mysql": (b"\x03COMMIT", b"\x00\x00\x00")}


def migrations(address: DatabaseAddress, *pairs: tuple[str, str]) -> tuple[Migration, ...]:
    """Versions 1, 2, … for the engine of ``address``."""
    return scripts_of(address.engine, *pairs).migrations


async def tables(database: Database) -> list[str]:
    """What the catalog lists."""
    return [name for name in (await database.catalog()).objects if name.startswith("table ")]


async def running(database: Database, address: DatabaseAddress) -> int:
    """How many sleeping statements the server runs."""
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        " AND query LIKE 'CREATE TABLE slow%%' AND datname = %s",
        "mysql": "SELECT count(*) FROM information_schema.processlist"
        " WHERE info LIKE 'CREATE TABLE slow%%' AND db = %s",
    }[address.engine]
    return int((await database.execute_query(query, (address.database,)))[0][0])


async def until_ended(count: Callable[[], Awaitable[int]]) -> None:
    """Wait until the server runs none of what ``count`` counts.

    MariaDB answers a moment before its list of processes forgets the statement.
    """
    async with asyncio.timeout(ENDS_WITHIN_SECONDS):
        while await count():
            await asyncio.sleep(0.05)


def through(address: DatabaseAddress, port: int) -> DatabaseAddress:
    """The same database through a proxy on this machine."""
    plain = {"postgresql": (("sslmode", "disable"),), "mysql": ()}[address.engine]
    return DatabaseAddress(
        engine=address.engine,
        host="127.0.0.1",
        port=port,
        user=address.user,
        password=address.password,
        database=address.database,
        schema=address.schema,
        options=plain,
    )
