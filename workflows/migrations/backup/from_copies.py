"""Restore from copies on the server: the scripts bring the shape back, the copies the rows."""

from __future__ import annotations

from workflows.migrations.backup import dumps_mysql, dumps_postgresql
from workflows.migrations.backup.copies import advance_sequences, lock_places, put_rows_back
from workflows.migrations.backup.errors import BackupUnusable, RestoreFailed
from workflows.migrations.backup.fingerprint import read_point
from workflows.migrations.backup.making import check_copies, one_moment, read_tables
from workflows.migrations.backup.models import Point, RestoreReport
from workflows.migrations.backup.restore import Restore
from workflows.migrations.backup.undoing import undo_scripts
from workflows.migrations.backup.verifying import differences


async def restore(restore: Restore) -> RestoreReport:
    """Take the plan back and put the rows at stake in their places."""
    session, manifest = restore.session, restore.manifest
    await _check_side(restore)
    async with one_moment(session):
        copied = await read_point(session, restore.address, manifest.point, space=manifest.side)
        check_copies(manifest.point, copied, manifest.plan)
        now = await read_point(session, restore.address, manifest.point, only=read_tables(manifest.plan))
    lost = restore.losses(now)
    if restore.is_refused(lost):
        return restore.report("refused", lost)
    await undo_scripts(restore.database, manifest.plan.plan)
    await _put_back(restore, now)
    return restore.verdict(lost, await differences(restore, now))


async def _check_side(restore: Restore) -> None:
    side = restore.manifest.side
    is_postgres = restore.session.engine == "postgresql"
    exists = dumps_postgresql.exists if is_postgres else dumps_mysql.exists
    if not await exists(restore.session, side):
        raise BackupUnusable(f"the copy {side} is gone from the server", next_step="nothing was changed")


async def _put_back(restore: Restore, now: Point) -> None:
    session, manifest = restore.session, restore.manifest
    await session.begin(dumps_postgresql.LIMITS)
    try:
        if session.engine == "postgresql":
            await lock_places(session, restore.address.schema, manifest.plan.tables)
        await _check_unwritten(restore, now)
        await put_rows_back(session, restore.address, manifest.side, manifest.plan.tables)
    except BaseException:
        await session.rollback()
        raise
    await session.commit()
    await advance_sequences(session, restore.address, manifest.sequences)


async def _check_unwritten(restore: Restore, now: Point) -> None:
    """Nobody wrote between the look and the lock, as far as that can be seen: where the scripts changed no column."""
    manifest = restore.manifest
    if manifest.plan.undo_writes or restore.approved_by.strip():
        return
    last = await read_point(restore.session, restore.address, manifest.point, only=manifest.plan.tables)
    for name in manifest.plan.tables:
        one, other = now.table(name), last.table(name)
        if one is None or other is None or one.columns != other.columns:
            continue
        if (one.rows, one.kept) != (other.rows, other.kept):
            raise RestoreFailed(
                f"somebody writes {name} while it is restored: its schema is taken back, its rows are as they were",
                next_step="stop the writers, then run the restore again with an approval",
            )
