"""What brings a database back: a backup where one is made, else the down scripts, verified through the catalog.

A plan whose down scripts bring everything back needs no backup; then nothing is
read but the catalog. How backups are made is ``workflows.migrations.backup``.
In the ledger a run keeps ``{"record": …, "mark": …}``, which names bodies of the
snapshot store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from policies.migrations.model import MigrationPlan
from workflows.clients.databases import Database
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.migrations.backup import (
    BackupMark,
    BackupRecord,
    make_backup,
    mark_point,
    plan_backup,
    prune_backups,
    restore_backup,
)
from workflows.migrations.errors import NotTakenBack, RowsWouldBeLost
from workflows.snapshots import SnapshotStore

BACKUPS_KEPT_DAYS = 14.0
SHOWN = 4
NOBODY = "whoever asked to lose data"

Backup = dict[str, Any]


@dataclass(frozen=True)
class Protection:
    """How the databases of one worker are protected. Without a ``store``, by down scripts alone."""

    store: SnapshotStore | None = None

    async def make(
        self, database: Database, plan: MigrationPlan, settled: Mapping[str, datetime] | None = None
    ) -> Backup | None:
        """Make what restores the database; None where its down scripts do. Removes old ``settled`` backups.

        Raises NotTakenBack for a plan that nothing would bring back.
        """
        if self.store is None:
            _check_reversible(plan)
            return None
        planned = await plan_backup(database, plan)
        if planned.strategy == "down_script":
            return None
        await prune_backups(
            database, self.store, settled=settled or {}, keep_days=BACKUPS_KEPT_DAYS, now=datetime.now(UTC)
        )
        return _as_json(await make_backup(database, planned, self.store), None)

    async def mark(self, database: Database, backup: Backup | None) -> Backup | None:
        """Note that the migration is done: what is written from now on is no part of it."""
        if backup is None or self.store is None or backup["mark"] is not None:
            return backup
        record = msgspec.convert(backup["record"], BackupRecord)
        return _as_json(record, await mark_point(database, record, self.store))

    async def restore(self, database: Database, run: DatabaseRun, *, accepts_loss: bool) -> bool:
        """Restore the backup of ``run``, verified; False where it has none, and its down scripts are to run.

        Raises RowsWouldBeLost, NotTakenBack.
        """
        if run.backup is None:
            return False
        if self.store is None:
            raise NotTakenBack("there is a backup, and this worker knows no snapshot store")
        record = msgspec.convert(run.backup["record"], BackupRecord)
        mark = msgspec.convert(run.backup["mark"], BackupMark | None)
        report = await restore_backup(
            database, record, self.store, mark=mark, lose_writes_approved_by=NOBODY if accepts_loss else ""
        )
        if report.outcome == "refused":
            named = ", ".join(f"{one.table}: {one.what}" for one in report.losses[:SHOWN])
            raise RowsWouldBeLost(
                f"{run.target} keeps version {run.to_version}: its backup lacks what was written since ({named})",
                next_step="keep it, or take it back with `adx migrate rollback --lose-data`",
            )
        if report.outcome != "restored":
            raise NotTakenBack(f"{run.target} differs from its backup: {'; '.join(report.differences[:SHOWN])}")
        return True


def _check_reversible(plan: MigrationPlan) -> None:
    stuck = [one for one in plan.migrations if one.down is None]
    if stuck:
        raise NotTakenBack(
            f"{stuck[0].up.file} is irreversible ({stuck[0].up.header.irreversible}), and no backup can be made",
            next_step="give the worker a snapshot store for backups, or write a down script",
        )


def _as_json(record: BackupRecord, mark: BackupMark | None) -> Backup:
    return {"record": msgspec.to_builtins(record), "mark": msgspec.to_builtins(mark)}
