"""Dumps of one MySQL or MariaDB database by the server's own program, uncompressed: the snapshot store compresses.

A restore moves all tables into a database beside (one RENAME, which waits for
open transactions), loads the dump, verifies, and only then drops what it moved.
What stops it half way leaves the rows beside, and running it again goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.migrations.history import OWN_TABLES
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session
from workflows.migrations.backup.errors import BackupInterrupted, RestoreFailed
from workflows.migrations.backup.models import Manifest
from workflows.migrations.backup.programs import mysql_access, mysql_program, running
from workflows.migrations.backup.storing import StoredDump, chunks_of, put_dump
from workflows.snapshots import SnapshotStore

LOCK_WAIT_SECONDS = 30
_OPTIONS = (
    "--single-transaction",
    "--skip-lock-tables",
    "--quick",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--no-tablespaces",
    "--skip-dump-date",
    "--skip-comments",
)
_DROPS = (
    ("SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = %s",),
    ("SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = %s",),
    ("SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = %s",),
)


class Locker:
    """Keeps writers out until the dump has its snapshot, so that dump and checksums are of one moment."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._database: Database = open_database(address)
        self._is_kept = False

    async def lock(self, database: str) -> None:
        """Lock all tables for writers; those without transactions keep it until ``close``."""
        tables = await self._database.execute_query(
            "SELECT table_name, engine FROM information_schema.tables"
            " WHERE table_schema = %s AND table_type = 'BASE TABLE'",
            (database,),
        )
        self._is_kept = any(engine != "InnoDB" for _, engine in tables)
        if tables:
            await self._database.execute_query(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")
            names = ", ".join(f"{quoted('mysql', str(name))} READ" for name, _ in tables)
            await self._database.execute_query(f"LOCK TABLES {names}")

    async def may_unlock(self) -> None:
        """The dump has its snapshot."""
        if not self._is_kept:
            await self.close()

    async def close(self) -> None:
        """End the session, and with it the lock."""
        await self._database.close()


async def dump(address: DatabaseAddress, store: SnapshotStore, owner: str, locker: Locker) -> StoredDump:
    """The database without ADX's own tables. ``locker`` is unlocked once the dump has begun to read tables."""
    program = mysql_program("mariadb-dump", "mysqldump")
    ignored = [f"--ignore-table={address.database}.{table}" for table in OWN_TABLES]
    with mysql_access(address) as access:
        command = [str(program), *access.arguments, *_OPTIONS, *ignored, "--", address.database]
        async with running(command, access) as process:

            async def read(size_bytes: int) -> bytes:
                data = await process.read(size_bytes)
                await locker.may_unlock()  # rows have come: the snapshot is taken
                return data

            return await put_dump(store, owner, read)


async def load(address: DatabaseAddress, manifest: Manifest, store: SnapshotStore) -> None:
    """Load the dump into the empty database. Raises RestoreFailed."""
    program = mysql_program("mariadb", "mysql")
    with mysql_access(address) as access:
        command = [str(program), *access.arguments, "--batch", "--binary-mode", f"--database={address.database}"]
        async with running(command, access, reads=True) as process:
            async for chunk in chunks_of(store, manifest):
                if not await process.write(chunk):
                    break
            try:
                await process.finished()
            except BackupInterrupted as error:
                raise RestoreFailed(str(error), next_step="mend what it names, then run the restore again") from error


async def tables_of(session: Session, database: str) -> list[str]:
    """Tables and sequences but ADX's own."""
    rows = await session.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type <> 'VIEW'", (database,)
    )
    return [str(row[0]) for row in rows if row[0] not in OWN_TABLES]


async def put_aside(session: Session, database: str, aside: str) -> list[str]:
    """Move every table to ``aside``; the statements that make the triggers again, which must go before."""
    made = await _drop_triggers(session, database)
    await session.execute(f"CREATE DATABASE IF NOT EXISTS {quoted('mysql', aside)} CHARACTER SET utf8mb4")
    await _rename(session, await tables_of(session, database), database, aside)
    return made


async def put_back(session: Session, database: str, aside: str, triggers: Sequence[str]) -> None:
    """Undo ``put_aside`` before anything was loaded."""
    await _rename(session, await tables_of(session, aside), aside, database)
    for statement in triggers:
        await session.execute(statement)
    await drop_database(session, aside)


async def empty(session: Session, database: str) -> None:
    """Drop everything but ADX's own tables."""
    await _drop_triggers(session, database)
    for (query,) in _DROPS:
        for kind, name in await session.execute(query, (database,)):
            await session.execute(f"DROP {kind} {quoted('mysql', str(name))}")
    tables = await tables_of(session, database)
    if tables:
        await session.execute("SET SESSION foreign_key_checks = 0")
        try:
            await session.execute(f"DROP TABLE {', '.join(quoted('mysql', one) for one in tables)}")
        finally:
            await session.execute("SET SESSION foreign_key_checks = 1")


async def exists(session: Session, database: str) -> bool:
    """Whether there is such a database with a table in it."""
    return bool(await tables_of(session, database))


async def drop_database(session: Session, database: str) -> None:
    """Gone with all that is in it."""
    await session.execute(f"DROP DATABASE IF EXISTS {quoted('mysql', database)}")


async def _rename(session: Session, tables: Sequence[str], source: str, target: str) -> None:
    if tables:
        moves = (f"{quoted('mysql', source, one)} TO {quoted('mysql', target, one)}" for one in tables)
        await session.execute(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")
        await session.execute(f"RENAME TABLE {', '.join(moves)}")


async def _drop_triggers(session: Session, database: str) -> list[str]:
    rows = await session.execute(
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s"
        " ORDER BY event_object_table, action_timing, event_manipulation, action_order",
        (database,),
    )
    made = []
    for (name,) in rows:
        shown = await session.execute(f"SHOW CREATE TRIGGER {quoted('mysql', str(name))}")
        made.append(str(shown[0][2]))
    for (name,) in rows:
        await session.execute(f"DROP TRIGGER {quoted('mysql', str(name))}")
    return made
