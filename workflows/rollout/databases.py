"""The databases of one rollout: its two migration steps, and what a restore takes back of them. Workflow code."""

from __future__ import annotations

from workflows.infrastructure.models import StackLease
from workflows.migrations.in_rollout import CONTRACT_STEP, MIGRATE_STEP, run_stage, told
from workflows.migrations.models import MigrationLease, MigrationStage, MigrationsToUndo, RolloutMigrations
from workflows.models import Timeouts


class Databases:
    """Runs the stages of ``migrations``, and remembers which have begun."""

    def __init__(self, migrations: RolloutMigrations, delivery: str, timeouts: Timeouts) -> None:
        self._migrations, self._delivery, self._timeouts = migrations, delivery, timeouts
        self._has_begun = self._has_contracted = False
        self.partly: dict[str, str] = {}  # by step: why not every database has its version

    async def migrate(self, lease: StackLease) -> str:
        """Bring databases as far as the running services survive; a line about it."""
        self._has_begun = True
        return await self._run(lease, MIGRATE_STEP, self._migrations.before)

    async def contract(self, lease: StackLease) -> str:
        """Take from databases what no delivered service uses any more; a line about it."""
        self._has_begun = self._has_contracted = True
        return await self._run(lease, CONTRACT_STEP, self._migrations.after)

    def to_undo(self, environment: str, rollout_id: str) -> MigrationsToUndo | None:
        """What a restore takes back; None where nothing has begun."""
        if not self._has_begun:
            return None
        lease = MigrationLease(environment, f"{rollout_id}-restore", rollout_id=rollout_id)
        return MigrationsToUndo(lease, self._migrations, has_after=self._has_contracted)

    async def _run(self, lease: StackLease, step: str, stage: MigrationStage | None) -> str:
        assert stage is not None  # noqa: S101 - without it the rollout has no such step
        result = await run_stage(lease, step, stage, self._delivery, self._timeouts)
        if result.outcome != "delivered":
            self.partly[step] = told(result)
        return f"{stage.text}: {result.text}"
