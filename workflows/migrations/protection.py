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

from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from workflows.clients.databases import Database
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.migrations import losses
from workflows.migrations.backup import (
    BackupMark,
    BackupRecord,
    RestoreReport,
    make_backup,
    mark_point,
    plan_backup,
    prune_backups,
    restore_backup,
    scripts_are_enough,
)
from workflows.migrations.errors import NotTakenBack, RowsWouldBeLost
from workflows.migrations.written import WrittenSince
from workflows.snapshots import SnapshotStore

BACKUPS_KEPT_DAYS = 14.0
SHOWN = 4

Backup = dict[str, Any]


@dataclass(frozen=True)
class Protection:
    """How the databases of one worker are protected. Without a ``store``, by down scripts alone."""

    store: SnapshotStore | None = None

    def needs_backup(self, plan: MigrationPlan, catalog: Catalog) -> bool:
        """Whether ``plan`` could not be taken back by its scripts alone where the schema holds ``catalog``.

        Raises NotTakenBack for a plan that nothing would bring back.
        """
        if self.store is None:
            _check_reversible(plan)
            return False
        return not scripts_are_enough(plan, catalog)

    async def make(
        self, database: Database, plan: MigrationPlan, settled: Mapping[str, datetime], *, tenant: str
    ) -> Backup:
        """Make what restores the database; old ``settled`` backups go before.

        ``tenant``: whose rows alone may be in it (``backup.tenants``); empty where several share it. Raises
        NotTakenBack without a store, BackupRefused.
        """
        store = self._known_store()
        planned = await plan_backup(database, plan, tenant=tenant)
        await prune_backups(database, store, settled=settled, keep_days=BACKUPS_KEPT_DAYS, now=datetime.now(UTC))
        return _as_json(await make_backup(database, planned, store), None)

    async def mark(self, database: Database, backup: Backup | None) -> Backup | None:
        """Note that the scripts have just ended: what is written from now on is no part of the migration."""
        if backup is None or self.store is None:
            return backup
        record = msgspec.convert(backup["record"], BackupRecord)
        return _as_json(record, await mark_point(database, record, self.store))

    async def restore(self, database: Database, run: DatabaseRun, writes: WrittenSince) -> bool:
        """Restore the backup of ``run``, verified; False where it has none, and its down scripts are to run.

        What ``writes`` accepts to lose is told first. Raises RowsWouldBeLost, NotTakenBack.
        """
        if run.backup is None:
            return False
        report = await self._restored(database, run)
        lost = [f"{one.table}: {one.what}" for one in report.losses]
        if report.outcome == "refused" and writes.accepted_by:
            await writes.tell(lost)
            report = await self._restored(database, run, writes.accepted_by)
        if report.outcome == "refused":
            raise RowsWouldBeLost(
                f"{run.target} keeps version {run.to_version}: its backup lacks what was written since"
                f" ({losses.named(lost)})",
                next_step="keep it, or take it back with `adx migrate rollback --lose-data`",
            )
        if report.outcome != "restored":
            raise NotTakenBack(f"{run.target} differs from its backup: {'; '.join(report.differences[:SHOWN])}")
        return True

    async def _restored(self, database: Database, run: DatabaseRun, accepted_by: str = "") -> RestoreReport:
        store, kept = self._known_store(), run.backup or {}
        record = msgspec.convert(kept["record"], BackupRecord)
        mark = msgspec.convert(kept["mark"], BackupMark | None)
        return await restore_backup(database, record, store, mark=mark, lose_writes_approved_by=accepted_by)

    def _known_store(self) -> SnapshotStore:
        if self.store is None:
            raise NotTakenBack("there is a backup, or is to be, and this worker knows no snapshot store")
        return self.store


def _check_reversible(plan: MigrationPlan) -> None:
    stuck = [one for one in plan.migrations if one.down is None]
    if stuck:
        raise NotTakenBack(
            f"{stuck[0].up.file} is irreversible ({stuck[0].up.header.irreversible}), and no backup can be made",
            next_step="give the worker a snapshot store for backups, or write a down script",
        )


def _as_json(record: BackupRecord, mark: BackupMark | None) -> Backup:
    return {"record": msgspec.to_builtins(record), "mark": msgspec.to_builtins(mark)}
