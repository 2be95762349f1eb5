"""What a worker serves of migrations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from workflows.clients.databases import LockPatience
from workflows.migrations.activities import TargetActivities
from workflows.migrations.batches import BatchActivities
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.places import ServerPlaces
from workflows.migrations.planning_waves import FanOutActivities
from workflows.migrations.preparing import PrepareActivities
from workflows.migrations.protection import Protection
from workflows.migrations.workflow import DatabaseMigrationWorkflow, DatabaseRestoreWorkflow
from workflows.runtime import Runtime

MIGRATION_WORKFLOWS = (DatabaseMigrationWorkflow, DatabaseRestoreWorkflow, MigrationFanOutWorkflow)


def migration_activities(
    runtime: Runtime, protection: Protection | None = None, patience: LockPatience | None = None
) -> list[Callable[..., Awaitable[Any]]]:
    """Every activity of migrations. Backups go to the worker's snapshot store unless ``protection`` says otherwise."""
    protection = protection or Protection(runtime.store)
    places = ServerPlaces()
    target = TargetActivities(runtime, protection, patience, places)
    batch = BatchActivities(runtime, protection, patience, places)
    fan_out = FanOutActivities(runtime)
    return [
        target.plan_target,
        target.protect_target,
        target.execute_target,
        target.verify_target,
        target.restore_target,
        target.refuse_target,
        batch.migrate_batch,
        batch.undo_operation,
        fan_out.claim_databases,
        fan_out.plan_fan_out,
        PrepareActivities(runtime).prepare_operation,
    ]
