"""Making a backup: everything of one moment, the manifest last. What stops it before leaves no backup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from workflows.clients.databases import Database, DatabaseAddress
from workflows.clients.databases.errors import DatabaseUnreachable
from workflows.clients.databases.session import Session
from workflows.migrations.backup import dumps_mysql, dumps_postgresql
from workflows.migrations.backup.copies import make_copies, sequences_of
from workflows.migrations.backup.errors import BackupRefused, BackupUnusable
from workflows.migrations.backup.fingerprint import count_writes, read_point
from workflows.migrations.backup.models import BackupMark, BackupPlan, BackupRecord, Manifest, MarkBody, Point
from workflows.migrations.backup.names import SIDE_PREFIX, address_of, now_text, space_of, target_of
from workflows.migrations.backup.recorded import read_rows
from workflows.migrations.backup.storing import StoredDump, get_body, marks, put_body, records
from workflows.migrations.backup.tenants import check_tenant
from workflows.snapshots import SnapshotStore

First = TypeVar("First")
Second = TypeVar("Second")
NO_DUMP = StoredDump((), 0, "")


async def make_backup(database: Database, backup_plan: BackupPlan, store: SnapshotStore) -> BackupRecord:
    """Make the backup that was planned, under the schema's lock, before the migration runs.

    May be called again after any end: a backup that was begun is made anew.
    Raises BackupRefused, BackupInterrupted, and what the store and the client raise.
    """
    started = time.monotonic()
    session, address = await database.locked(), await address_of(database)
    if target_of(address) != backup_plan.target:
        raise BackupUnusable(f"this backup was planned for {backup_plan.target}, not for {target_of(address)}")
    make = _make_postgres if session.engine == "postgresql" else _make_mysql
    async with giving_up(database):
        manifest = await make(session, address, backup_plan, store)
    digest = await put_body(store, records(backup_plan.owner), manifest)
    return BackupRecord(
        backup_id=backup_plan.backup_id,
        owner=backup_plan.owner,
        manifest=digest,
        target=backup_plan.target,
        strategy=backup_plan.strategy,
        reason=backup_plan.reason,
        taken_at=manifest.taken_at,
        tables=backup_plan.tables,
        rows=sum(max(one.rows, 0) for one in manifest.point.tables),
        bytes=backup_plan.bytes,
        dump_bytes=manifest.dump_bytes,
        duration_seconds=round(time.monotonic() - started, 3),
        estimated_restore_seconds=backup_plan.estimated_restore_seconds,
    )


async def mark_point(database: Database, record: BackupRecord, store: SnapshotStore) -> BackupMark:
    """Note the state right after the migration ended, well or not: what is written later is somebody else's.

    Without a mark a restore cannot tell the migration's own writes from others', and refuses where it matters.
    """
    manifest = await get_body(store, records(record.owner), record.manifest, Manifest)
    session, address = await database.session(), await address_of(database)
    async with giving_up(database):
        await count_writes(session)
        async with one_moment(session):
            point = await read_point(session, address, manifest.point, only=read_tables(manifest.plan))
    body = MarkBody(backup_id=record.backup_id, point=point)
    digest = await put_body(store, marks(record.owner), body)
    return BackupMark(backup_id=record.backup_id, owner=record.owner, digest=digest, taken_at=point.taken_at)


def read_tables(plan: BackupPlan) -> frozenset[str] | None:
    """The tables whose rows matter to ``plan``; None for all."""
    return None if plan.strategy == "dump" else frozenset({*plan.tables, *plan.named})


@asynccontextmanager
async def giving_up(database: Database) -> AsyncIterator[None]:
    """The block; a session whose connection or task was lost in it is given up, and with it the schema's lock."""
    try:
        yield
    except (DatabaseUnreachable, asyncio.CancelledError):
        await database.close()
        raise


@asynccontextmanager
async def one_moment(session: Session) -> AsyncIterator[None]:
    """A transaction that sees one moment, and changes nothing that lasts unless the caller commits."""
    if session.engine == "postgresql":
        await session.begin()
        await session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await session.execute(f"SET LOCAL lock_timeout = {dumps_postgresql.LOCK_WAIT_MS}")
    else:
        await session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        yield
    finally:
        await session.rollback()


async def _make_postgres(
    session: Session, address: DatabaseAddress, plan: BackupPlan, store: SnapshotStore
) -> Manifest:
    stored = NO_DUMP
    async with one_moment(session):
        manifest = await _described(session, address, plan)
        if plan.strategy == "dump":
            if foreign := await dumps_postgresql.outside_users(session):
                raise BackupRefused(
                    f"{foreign[0]} of another schema hangs on {plan.target}: a restore would tear it off",
                    next_step="move it into the schema, or back the database up by other means",
                )
            ((snapshot,),) = await session.execute("SELECT pg_export_snapshot()")
            major = int(session.version_text().partition(".")[0])
            point, stored = await both(
                read_point(session, address),
                dumps_postgresql.dump(address, str(snapshot), major, store, plan.owner),
            )
        else:
            point = await _point_and_copy(session, address, plan)
            await session.commit()
    return _finished(manifest, point, stored)


async def _make_mysql(session: Session, address: DatabaseAddress, plan: BackupPlan, store: SnapshotStore) -> Manifest:
    locker = dumps_mysql.Locker(address)
    try:
        if plan.strategy != "down_script":
            await locker.lock(address.database)
        if plan.strategy == "table_copy":  # the copy is made statement by statement, so writers wait
            manifest = await _described(session, address, plan)
            return _finished(manifest, await _point_and_copy(session, address, plan), NO_DUMP)
        async with one_moment(session):
            manifest = await _described(session, address, plan)
            if plan.strategy == "down_script":
                return _finished(manifest, await _point_and_copy(session, address, plan), NO_DUMP)
            point, stored = await both(
                read_point(session, address), dumps_mysql.dump(address, store, plan.owner, locker)
            )
            return _finished(manifest, point, stored)
    finally:
        await locker.close()


async def _described(session: Session, address: DatabaseAddress, plan: BackupPlan) -> Manifest:
    if plan.tenant:
        await check_tenant(session, space_of(address), plan.tenant)
    rows = await read_rows(session)
    if any(row[3] != "applied" for row in rows.migrations) and plan.strategy != "dump":
        raise BackupRefused(
            f"a migration of {plan.target} is half done, and only a dump keeps that",
            next_step="finish it first, or ask for the strategy dump",
        )
    return Manifest(
        plan=plan,
        taken_at=now_text(),
        catalog=await session.catalog(),
        point=Point(taken_at="", tables=()),
        record=rows,
        side=f"{SIDE_PREFIX}{plan.backup_id}" if plan.strategy == "table_copy" else "",
        sequences=await sequences_of(session, address, plan.tables) if plan.strategy == "table_copy" else (),
    )


async def _point_and_copy(session: Session, address: DatabaseAddress, plan: BackupPlan) -> Point:
    only = frozenset[str]() if plan.strategy == "down_script" else read_tables(plan)
    point = await read_point(session, address, only=only)
    if plan.strategy != "table_copy":
        return point
    side = f"{SIDE_PREFIX}{plan.backup_id}"
    await make_copies(session, address, side, plan.tables)
    check_copies(point, await read_point(session, address, point, space=side), plan)
    return point


def check_copies(point: Point, copied: Point, plan: BackupPlan) -> None:
    """Raise BackupUnusable unless each copy holds exactly the rows that its table had."""
    for table in plan.tables:
        source, copy = point.table(table), copied.table(table)
        if source is None or copy is None or (source.rows, source.kept) != (copy.rows, copy.kept):
            raise BackupUnusable(
                f"the copy of {table} in {SIDE_PREFIX}{plan.backup_id} does not hold the rows of the backup",
                next_step="nothing was changed; find out who writes there",
            )


async def both(first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]) -> tuple[First, Second]:
    """Both at once; when one fails the other is ended first, on the server too."""
    one, other = asyncio.create_task(first), asyncio.create_task(second)
    try:
        await asyncio.wait({one, other}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (other, one):
            if task.done() and task.exception() is not None:
                await task
        return await one, await other
    finally:
        for task in (one, other):
            task.cancel()
        await asyncio.gather(one, other, return_exceptions=True)


def _finished(manifest: Manifest, point: Point, stored: StoredDump) -> Manifest:
    return msgspec.structs.replace(
        manifest, point=point, chunks=stored.chunks, dump_bytes=stored.size_bytes, dump_sha256=stored.sha256
    )
