"""The ledger's own schema migrations."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from workflows.ledger import Ledger, migrator, schema_version
from workflows.ledger.errors import LedgerNotMigrated, LedgerTooNew
from workflows.ledger.rollouts import unfinished
from workflows.ledger.tables import metadata

MIGRATE = """
import asyncio, os, sys
from workflows.ledger import Ledger
from workflows.ledger import migrator  # before the others are waited for: the race is for the database

async def main():
    async with await Ledger.open(os.environ["URL"]) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        print(await ledger.migrate(), flush=True)

asyncio.run(main())
"""


async def test_a_new_database_is_migrated_once_and_stays_so(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url) as ledger:
        assert await ledger.version() is None
        assert await ledger.migrate() == schema_version.HEAD
        assert await ledger.migrate() == schema_version.HEAD
        assert await ledger.version() == schema_version.HEAD


async def test_two_processes_that_migrate_at_once_both_succeed(ledger_url: str) -> None:
    processes = [await _start_migration(ledger_url) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"

    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [output.decode().strip() for output, _ in answers] == [schema_version.HEAD] * 2
    assert [process.returncode for process in processes] == [0, 0]


async def test_the_migrated_database_has_the_tables_that_the_code_uses(ledger: Ledger) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"compare_server_default": False, "include_name": _is_ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with ledger.transaction() as connection:
        assert await connection.run_sync(differences) == []


def test_the_version_that_the_code_needs_is_the_newest_migration() -> None:
    script = ScriptDirectory.from_config(migrator.configuration())

    assert script.get_heads() == [schema_version.HEAD]


async def test_tables_of_a_newer_version_are_refused(ledger: Ledger) -> None:
    async with ledger.transaction() as connection:
        await connection.execute(text("UPDATE adx_ledger_version SET version_num = '9999'"))

    with pytest.raises(LedgerTooNew, match="9999"):
        await ledger.migrate()


async def test_a_database_without_tables_is_reported_as_not_migrated(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url) as ledger:
        with pytest.raises(LedgerNotMigrated):
            await unfinished(ledger)


def test_migrations_are_shipped_inside_the_package() -> None:
    folder = Path(migrator.__file__).parent / "migrations"

    assert (folder / "env.py").is_file()
    assert list((folder / "versions").glob("v*.py"))


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name == schema_version.TABLE)


async def _start_migration(url: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", MIGRATE, stdin=pipe, stdout=pipe, env={"URL": url}, cwd=Path(__file__).parents[2]
    )
