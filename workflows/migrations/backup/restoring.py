"""Restoring a backup: refused where writes would be lost, verified against the backup in any case."""

from __future__ import annotations

import time

import msgspec

from workflows.clients.databases import Database
from workflows.migrations.backup import from_copies, from_dumps, from_scripts
from workflows.migrations.backup.errors import BackupUnusable
from workflows.migrations.backup.making import giving_up, one_moment
from workflows.migrations.backup.models import BackupMark, BackupRecord, Manifest, MarkBody, Point, RestoreReport
from workflows.migrations.backup.names import address_of, target_of
from workflows.migrations.backup.restore import Restore
from workflows.migrations.backup.storing import get_body, marks, records
from workflows.migrations.backup.verifying import is_restored
from workflows.snapshots import SnapshotStore

_WAYS = {"down_script": from_scripts.restore, "table_copy": from_copies.restore, "dump": from_dumps.restore}


async def restore_backup(
    database: Database,
    record: BackupRecord,
    store: SnapshotStore,
    *,
    mark: BackupMark | None = None,
    lose_writes_approved_by: str = "",
) -> RestoreReport:
    """Bring the schema of ``database`` back to what ``record`` holds, under the schema's lock.

    A restore that would lose writes changes nothing and is ``refused`` with the
    tables and about how many rows, unless somebody answers for it by name; the
    caller audits that. May be called again after any end: what is restored is
    found so. Raises BackupUnusable, BackupInterrupted, RestoreFailed, and what
    the store and the client raise.
    """
    started = time.monotonic()
    manifest = await get_body(store, records(record.owner), record.manifest, Manifest)
    async with giving_up(database):
        session, address = await database.locked(), await address_of(database)
        if target_of(address) != manifest.plan.target or manifest.plan.backup_id != record.backup_id:
            raise BackupUnusable(
                f"backup {record.backup_id} is of {manifest.plan.target}, not of {target_of(address)}",
                next_step="name the database that it was taken from",
            )
        point = await _marked(record, mark, store)
        restore = Restore(database, session, address, manifest, point, store, lose_writes_approved_by)
        async with one_moment(session):
            was_restored = await is_restored(restore)
        if was_restored:
            report = restore.report("restored", was_restored_before=True)
        else:
            report = await _WAYS[manifest.plan.strategy](restore)
    seconds = round(time.monotonic() - started, 3)
    return msgspec.structs.replace(report, duration_seconds=seconds)


async def _marked(record: BackupRecord, mark: BackupMark | None, store: SnapshotStore) -> Point | None:
    if mark is None:
        return None
    body = await get_body(store, marks(mark.owner), mark.digest, MarkBody)
    if body.backup_id != record.backup_id:
        raise BackupUnusable(f"the mark is of backup {body.backup_id}, not of {record.backup_id}")
    return body.point
