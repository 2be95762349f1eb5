"""One call of ``restore_backup``: what its ways share."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.clients.databases import Database, DatabaseAddress
from workflows.clients.databases.session import Session
from workflows.migrations.backup.losses import losses
from workflows.migrations.backup.models import Loss, Manifest, Outcome, Point, RestoreReport
from workflows.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Restore:
    """``mark`` is the state at the end of the migration, where it was noted."""

    database: Database
    session: Session
    address: DatabaseAddress
    manifest: Manifest
    mark: Point | None
    store: SnapshotStore
    approved_by: str

    def losses(self, now: Point) -> tuple[Loss, ...]:
        """What would be lost of ``now``."""
        return losses(self.manifest.plan, self.manifest.point, self.mark, now)

    def is_refused(self, lost: tuple[Loss, ...]) -> bool:
        """Whether nobody answers for ``lost``."""
        return bool(lost) and not self.approved_by.strip()

    def report(
        self,
        outcome: Outcome,
        lost: tuple[Loss, ...] = (),
        differences: tuple[str, ...] = (),
        *,
        was_restored_before: bool = False,
    ) -> RestoreReport:
        """The report of this restore."""
        return RestoreReport(
            backup_id=self.manifest.plan.backup_id,
            strategy=self.manifest.plan.strategy,
            outcome=outcome,
            losses=lost,
            differences=differences,
            approved_by=self.approved_by if lost and outcome != "refused" else "",
            was_restored_before=was_restored_before,
            bytes=self.manifest.plan.bytes,
        )

    def verdict(self, lost: tuple[Loss, ...], differences: tuple[str, ...]) -> RestoreReport:
        """Restored where nothing differs."""
        return self.report("not-verified" if differences else "restored", lost, differences)
