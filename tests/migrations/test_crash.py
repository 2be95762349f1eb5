"""A process that is killed without warning in the middle of a migration."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from policies.migrations.model import Migration
from tests.migrations.clients import SLEEP, running
from tests.migrations.scripts import scripts_of
from workflows.clients.databases import DatabaseAddress, open_database

SOURCE = Path(__file__).parents[2]
PROGRAM = """
import asyncio, os, sys
import msgspec
from policies.migrations.model import Migration
from workflows.clients.databases import DatabaseAddress, open_database

async def main():
    address = DatabaseAddress.parse(os.environ["TARGET"])
    async with open_database(address) as database:
        await database.apply_migration(msgspec.json.decode(sys.stdin.buffer.read(), type=Migration))

asyncio.run(main())
"""


async def killed_while_running(migration: Migration, address: DatabaseAddress) -> None:
    """Apply in another process and kill it while its slow statement runs."""
    url = f"{address.engine}://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "TARGET": url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdin=asyncio.subprocess.PIPE, env=environ
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(migration))
    process.stdin.write_eof()
    async with open_database(address) as database:
        while not await running(database, address):
            assert process.returncode is None
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        while await running(database, address):
            await asyncio.sleep(0.1)


async def test_a_killed_process_leaves_a_schema_that_the_next_call_finishes(address: DatabaseAddress) -> None:
    """What was done before is done once; the statement under way is done again."""
    table = "CREATE TABLE orders (id integer PRIMARY KEY)"
    slow = SLEEP[address.engine].format(3)
    text = f"-- adx: transaction=none\n{table}; INSERT INTO orders VALUES (1); {slow}"
    migration = scripts_of(address.engine, (text, "DROP TABLE slow; DROP TABLE orders")).migrations[0]
    await killed_while_running(migration, address)
    async with open_database(address) as database:
        found = await database.get_schema_version()
        assert found.unfinished is not None
        await database.apply_migration(migration)
        assert (await database.get_schema_version()).version == 1
        assert await database.execute_query("SELECT id FROM orders") == [(1,)]
        assert "table slow" in (await database.catalog()).objects
