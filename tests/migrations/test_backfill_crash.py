"""A process that is killed without warning while it writes rows in batches."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import msgspec

from policies.migrations.model import Migration
from tests.migrations.backfills import backfill, batches, counters, is_clean, make_orders
from tests.migrations.test_backfill import is_second_waiting
from tests.migrations.test_crash import PROGRAM, SOURCE
from workflows.clients.databases import DatabaseAddress, open_database

IDS = list(range(0, 30, 3))


async def killed_when(migration: Migration, address: DatabaseAddress, is_time: Callable[[], Awaitable[bool]]) -> None:
    """Apply in another process and kill it when ``is_time``."""
    url = f"{address.engine}://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "TARGET": url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdin=asyncio.subprocess.PIPE, env=environ
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(migration))
    process.stdin.write_eof()
    while not await is_time():
        assert process.returncode is None
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_killed_between_two_batches(address: DatabaseAddress) -> None:
    """It pauses for a minute, and dies in it."""
    async with open_database(address) as database:
        await make_orders(database, IDS)
        await killed_when(backfill(address, "pause_ms=60000", rows=6), address, lambda: _is(batches(database), 1))
        assert await counters(database) == [1] * 6 + [0] * 4
        await database.apply_migration(backfill(address, "pause_ms=60000", rows=6))
        assert await counters(database) == [1] * 10
        assert await is_clean(database)


async def test_killed_in_the_middle_of_a_batch(address: DatabaseAddress) -> None:
    """Rows that it had written and not committed are as they were; they are written once, by the next one."""
    migration = backfill(address, "lock_timeout_ms=0")
    async with open_database(address) as database, open_database(address) as other, open_database(address) as third:
        await make_orders(database, IDS)
        async with other.begin_transaction() as transaction:
            await transaction.execute("UPDATE orders SET done = done WHERE id = 15")
            await killed_when(migration, address, lambda: is_second_waiting(third, address))
        assert await batches(third) == 1
        assert await counters(third) == [1] * 3 + [0] * 7
        await database.apply_migration(migration)
        assert await counters(database) == [1] * 10
        assert (await database.get_schema_version()).version == 1
        assert await is_clean(database)


async def _is(found: Awaitable[int], wanted: int) -> bool:
    return await found == wanted
