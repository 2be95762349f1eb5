"""Backups as the guarded change of a database asks for them: one object, its records as plain JSON.

A mark is found again by the backup's id, so that the caller keeps one value.
"""

from __future__ import annotations

from typing import Any

import msgspec

from policies.migrations.model import MigrationPlan
from workflows.clients.databases import Database
from workflows.errors import RestoreNotVerified
from workflows.migrations.backup.errors import WritesWouldBeLost
from workflows.migrations.backup.making import make_backup, mark_point
from workflows.migrations.backup.models import BackupMark, BackupRecord, MarkBody, Throughput
from workflows.migrations.backup.planning import plan_backup
from workflows.migrations.backup.restoring import restore_backup
from workflows.migrations.backup.storing import get_body, marks
from workflows.snapshots import SnapshotStore

SHOWN_DIFFERENCES = 5


class KeptBackups:
    """Backups in ``store``. ``accepted_by`` stands in reports where the caller accepts a loss without a name."""

    def __init__(
        self, store: SnapshotStore, throughput: Throughput | None = None, *, accepted_by: str = "the caller"
    ) -> None:
        self._store = store
        self._throughput = throughput
        self._accepted_by = accepted_by

    async def make(self, database: Database, plan: MigrationPlan, *, tenant: str = "") -> dict[str, Any]:
        """Plan and make a backup; what ``restore`` needs."""
        planned = await plan_backup(database, plan, throughput=self._throughput, tenant=tenant)
        made: dict[str, Any] = msgspec.to_builtins(await make_backup(database, planned, self._store))
        return made

    async def mark(self, database: Database, backup: dict[str, Any]) -> None:
        """The migration has ended: what is written from now on is no part of it."""
        await mark_point(database, _record(backup), self._store)

    async def restore(self, database: Database, backup: dict[str, Any], *, accepts_loss: bool) -> None:
        """Restore, verified. Raises WritesWouldBeLost (nothing was changed), RestoreNotVerified, and others."""
        record = _record(backup)
        report = await restore_backup(
            database,
            record,
            self._store,
            mark=await latest_mark(record, self._store),
            lose_writes_approved_by=self._accepted_by if accepts_loss else "",
        )
        if report.outcome == "refused":
            raise WritesWouldBeLost(report.losses)
        if report.outcome == "not-verified":
            shown = "; ".join(report.differences[:SHOWN_DIFFERENCES])
            raise RestoreNotVerified(
                f"after its restore {record.target} is not what was backed up: {shown}",
                next_step="look at the differences; the backup is kept",
            )


async def latest_mark(record: BackupRecord, store: SnapshotStore) -> BackupMark | None:
    """The newest mark of a backup; None where its migration never ended."""
    owner = marks(record.owner)
    newest_first = sorted(await store.entries(owner), key=lambda entry: entry.stored_at, reverse=True)
    found = [(entry.digest, await get_body(store, owner, entry.digest, MarkBody)) for entry in newest_first]
    ours = [(digest, body.point.taken_at) for digest, body in found if body.backup_id == record.backup_id]
    if not ours:
        return None
    digest, taken_at = max(ours, key=lambda one: one[1])
    return BackupMark(backup_id=record.backup_id, owner=record.owner, digest=digest, taken_at=taken_at)


def _record(backup: dict[str, Any]) -> BackupRecord:
    return msgspec.convert(backup, type=BackupRecord)
