"""Restore from a dump: what is there is put aside, the dump is loaded and verified, then what is aside is dropped."""

from __future__ import annotations

from policies.errors import AdxError
from workflows.clients.databases.quoting import quoted
from workflows.migrations.backup import dumps_mysql, dumps_postgresql
from workflows.migrations.backup.errors import RestoreFailed
from workflows.migrations.backup.fingerprint import read_point
from workflows.migrations.backup.making import one_moment
from workflows.migrations.backup.models import Loss, RestoreReport
from workflows.migrations.backup.recorded import write_rows
from workflows.migrations.backup.restore import Restore
from workflows.migrations.backup.storing import check_chunks
from workflows.migrations.backup.verifying import differences


async def restore(restore: Restore) -> RestoreReport:
    """Replace the whole schema."""
    await check_chunks(restore.store, restore.manifest)
    if restore.session.engine == "postgresql":
        return await _postgres(restore)
    return await _mysql(restore)


async def _postgres(restore: Restore) -> RestoreReport:
    session, schema = restore.session, restore.address.schema
    aside = dumps_postgresql.aside_of(restore.manifest.plan.backup_id)
    if await dumps_postgresql.exists(session, aside):  # an earlier restore was killed
        await dumps_postgresql.put_back(session, schema, aside)
    if hanging := await dumps_postgresql.outside_users(session):
        raise RestoreFailed(
            f"{hanging[0]} of another schema hangs on this one and would be torn off", next_step="drop it first"
        )
    lost, is_aside = await _postgres_aside(restore, aside)
    if not is_aside:
        return restore.report("refused", lost)
    try:
        major = int(session.version_text().partition(".")[0])
        await dumps_postgresql.load(restore.address, major, restore.manifest, restore.store)
        await write_rows(session, restore.manifest.record)
        differing = await differences(restore)
        if not differing:
            await session.execute(f"DROP SCHEMA {quoted('postgresql', aside)} CASCADE")
    except BaseException:
        await dumps_postgresql.put_back(session, schema, aside)
        raise
    if differing:
        await dumps_postgresql.put_back(session, schema, aside)
    return restore.verdict(lost, differing)


async def _postgres_aside(restore: Restore, aside: str) -> tuple[tuple[Loss, ...], bool]:
    """Look and rename in one transaction whose lock keeps writers out: nothing can be written in between."""
    session, schema = restore.session, restore.address.schema
    await session.begin(dumps_postgresql.LIMITS)
    try:
        await dumps_postgresql.lock_tables(session, schema)
        lost = restore.losses(await read_point(session, restore.address, restore.manifest.point))
        if restore.is_refused(lost):
            await session.rollback()
            return lost, False
        await dumps_postgresql.put_aside(session, schema, aside)
    except BaseException:
        await session.rollback()
        raise
    await session.commit()
    return lost, True


async def _mysql(restore: Restore) -> RestoreReport:
    session, database = restore.session, restore.address.database
    aside = dumps_postgresql.aside_of(restore.manifest.plan.backup_id)
    lost: tuple[Loss, ...] = ()
    if not await dumps_mysql.exists(session, aside):  # else an earlier restore has looked, and was stopped later
        lost, is_aside = await _mysql_aside(restore, aside)
        if not is_aside:
            return restore.report("refused", lost)
    try:
        await dumps_mysql.empty(session, database)
        await dumps_mysql.load(restore.address, restore.manifest, restore.store)
        await write_rows(session, restore.manifest.record)
        differing = await differences(restore)
    except AdxError as error:
        raise RestoreFailed(
            f"{error} The tables as they were before the restore are in the database {aside}.",
            next_step="mend what it names, then run the restore again: it goes on from there",
        ) from error
    if not differing:
        await dumps_mysql.drop_database(session, aside)
    return restore.verdict(lost, differing)


async def _mysql_aside(restore: Restore, aside: str) -> tuple[tuple[Loss, ...], bool]:
    """Look, move the tables away, and look again where nobody can write any more."""
    session, database, point = restore.session, restore.address.database, restore.manifest.point
    async with one_moment(session):
        lost = restore.losses(await read_point(session, restore.address, point))
    if restore.is_refused(lost):
        return lost, False
    triggers = await dumps_mysql.put_aside(session, database, aside)
    lost = restore.losses(await read_point(session, restore.address, point, space=aside))
    if restore.is_refused(lost):
        await dumps_mysql.put_back(session, database, aside, triggers)
        return lost, False
    return lost, True
