"""Dumps of one PostgreSQL schema by pg_dump, in its custom format, uncompressed: the snapshot store compresses.

A restore renames the schema aside under a lock that keeps writers out, loads
the dump in one transaction, verifies, and only then drops what it put aside.
Whatever fails before that renames it back.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from policies.migrations.history import OWN_TABLES
from workflows.clients.databases import DatabaseAddress, Limits
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session
from workflows.migrations.backup.errors import BackupInterrupted, RestoreFailed
from workflows.migrations.backup.models import Manifest
from workflows.migrations.backup.names import ASIDE_PREFIX, literal
from workflows.migrations.backup.programs import (
    Access,
    Running,
    file_in_memory,
    postgres_access,
    postgres_program,
    running,
)
from workflows.migrations.backup.storing import StoredDump, chunks_of, put_dump
from workflows.snapshots import SnapshotStore

LOCK_WAIT_MS = 30_000
LIMITS = Limits(lock_timeout_ms=LOCK_WAIT_MS, statement_timeout_ms=0)
# What belongs to the schema itself: it is made here, with its rights, and not by the dump.
_OF_SCHEMA = re.compile(r"^\d+; \d+ \d+ (SCHEMA -|COMMENT - SCHEMA|ACL - SCHEMA) ")
_OUTSIDE = """SELECT v.oid::regclass::text FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid
  JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND c.relnamespace = {ns} AND v.relnamespace <> {ns}
UNION SELECT k.conrelid::regclass::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid
  JOIN pg_class r ON r.oid = k.conrelid WHERE k.contype = 'f' AND c.relnamespace = {ns} AND r.relnamespace <> {ns}
UNION SELECT a.attrelid::regclass::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_class r ON r.oid = a.attrelid WHERE t.typnamespace = {ns} AND r.relnamespace <> {ns}
    AND r.relkind IN ('r', 'p') AND NOT a.attisdropped"""


async def dump(
    address: DatabaseAddress, snapshot: str, server_major: int, store: SnapshotStore, owner: str
) -> StoredDump:
    """The schema as the exported ``snapshot`` sees it. Raises BackupRefused, BackupInterrupted."""
    program = await asyncio.to_thread(postgres_program, "pg_dump", server_major)
    command = [str(program), "--format=custom", "--compress=0", f"--snapshot={snapshot}", "--no-password"]
    command += [f"--schema={_pattern(address.schema)}", "--strict-names", f"--lock-wait-timeout={LOCK_WAIT_MS}"]
    command += [f"--exclude-table={_pattern(address.schema)}.{_pattern(table)}" for table in OWN_TABLES]
    with postgres_access(address) as access:
        async with running(command, access) as process:
            return await put_dump(store, owner, process.read)


def aside_of(backup_id: str) -> str:
    """Where the schema waits while its backup is loaded."""
    return f"{ASIDE_PREFIX}{backup_id}"


async def outside_users(session: Session) -> tuple[str, ...]:
    """Tables and views of other schemas that hang on this one: a restore would tear them off."""
    namespace = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
    return tuple(str(row[0]) for row in await session.execute(_OUTSIDE.format(ns=namespace)))


async def lock_tables(session: Session, schema: str) -> None:
    """In a transaction: nobody writes any table of ``schema`` until it ends; reading goes on."""
    rows = await session.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY 1",
        (schema,),
    )
    if rows:
        tables = ", ".join(quoted("postgresql", schema, str(row[0])) for row in rows)
        await session.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


async def put_aside(session: Session, schema: str, aside: str) -> None:
    """In the transaction of the lock: rename the schema and make it anew, empty, with its owner, rights, comment."""
    ((owner, comment),) = await session.execute(
        "SELECT nspowner::regrole::text, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s",
        (schema,),
    )
    grants = await session.execute(
        "SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.is_grantable"
        " FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a"
        " WHERE n.nspname = %s AND a.grantee <> n.nspowner",
        (schema,),
    )
    place = quoted("postgresql", schema)
    await session.execute(f"ALTER SCHEMA {place} RENAME TO {quoted('postgresql', aside)}")
    await session.execute(f"CREATE SCHEMA {place} AUTHORIZATION {owner}")
    for privilege, grantee, may_grant in grants:
        await session.execute(
            f"GRANT {privilege} ON SCHEMA {place} TO {grantee}{' WITH GRANT OPTION' if may_grant else ''}"
        )
    if comment is not None:
        await session.execute(f"COMMENT ON SCHEMA {place} IS {literal(str(comment))}")
    await _move_extensions(session, aside, schema)


async def put_back(session: Session, schema: str, aside: str) -> None:
    """Undo ``put_aside`` wholly, whatever was loaded meanwhile."""
    await session.begin()
    try:
        await _move_extensions(session, schema, aside)
        await session.execute(f"DROP SCHEMA {quoted('postgresql', schema)} CASCADE")
        await session.execute(f"ALTER SCHEMA {quoted('postgresql', aside)} RENAME TO {quoted('postgresql', schema)}")
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


async def exists(session: Session, schema: str) -> bool:
    """Whether there is such a schema."""
    ((count,),) = await session.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (schema,))
    return bool(count)


async def load(address: DatabaseAddress, server_major: int, manifest: Manifest, store: SnapshotStore) -> None:
    """Load the dump into the empty schema, in one transaction. Raises BackupInterrupted, RestoreFailed."""
    program = await asyncio.to_thread(postgres_program, "pg_restore", server_major)
    with postgres_access(address) as access:
        wanted = await _contents(program, access, manifest, store)
        with file_in_memory(wanted) as (contents, descriptor):
            command = [str(program), "--format=custom", "--single-transaction", "--no-password"]
            command += [f"--use-list={contents}", f"--dbname={_connection(address)}"]
            async with running(command, access.also(descriptor), reads=True) as process:
                await _feed(process, manifest, store)


async def _feed(process: Running, manifest: Manifest, store: SnapshotStore) -> None:
    async for chunk in chunks_of(store, manifest):
        if not await process.write(chunk):
            break
    try:
        await process.finished()
    except BackupInterrupted as error:
        raise RestoreFailed(str(error), next_step=error.next_step) from error


async def _contents(program: Path, access: Access, manifest: Manifest, store: SnapshotStore) -> bytes:
    """The list of what the dump holds, without the schema itself: it stands at the dump's beginning."""
    with tempfile.TemporaryFile() as listed:
        process = await asyncio.create_subprocess_exec(
            str(program),
            "--list",
            env=access.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=listed,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdin is not None  # noqa: S101 - as asked for
        chunks = chunks_of(store, manifest)
        try:
            async for chunk in chunks:
                process.stdin.write(chunk)
                await process.stdin.drain()
                if process.returncode is not None:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has read what it needs
        finally:
            await chunks.aclose()  # type: ignore[attr-defined] # a generator
            process.stdin.close()
        if await process.wait() != 0:
            raise RestoreFailed("pg_restore does not read the dump", next_step="nothing was changed")
        listed.seek(0)
        lines = listed.read().decode("utf-8").splitlines()
    return "\n".join(line for line in lines if not _OF_SCHEMA.match(line)).encode() + b"\n"


async def _move_extensions(session: Session, source: str, target: str) -> None:
    rows = await session.execute(
        "SELECT e.extname, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE n.nspname = %s AND e.extname <> 'plpgsql'",
        (source,),
    )
    for name, is_relocatable in rows:
        if not is_relocatable:
            raise RestoreFailed(
                f"the extension {name} lies in the schema and cannot be moved", next_step="restore the dump by hand"
            )
        await session.execute(
            f"ALTER EXTENSION {quoted('postgresql', str(name))} SET SCHEMA {quoted('postgresql', target)}"
        )


def _connection(address: DatabaseAddress) -> str:
    """A connection string that only names the database: the rest stands in the environment."""
    escaped = address.database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def _pattern(name: str) -> str:
    """A pattern that matches ``name`` and nothing else."""
    return quoted("postgresql", name)
