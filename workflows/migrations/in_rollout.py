"""A rollout's two migration steps, and how its restore takes them back. Runs inside workflows.

::

    validate → snapshot → plan → MIGRATE → apply → deploy → … → test → CONTRACT → … → status
    restore:  UNCONTRACT → repair → reapply → redeploy → UNMIGRATE → verify

Old services come back before what they never needed goes, and what they need
comes back before they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from workflows.guarded import start_outliving, told_of_cancellation
from workflows.infrastructure.models import StackLease
from workflows.invoke import ActivityCall
from workflows.migrations.batches import BatchActivities
from workflows.migrations.fan_out_workflow import MigrationFanOutWorkflow
from workflows.migrations.models import (
    FanOutInput,
    FanOutResult,
    MigrationLease,
    MigrationStage,
    MigrationsToUndo,
    UndoRequest,
)
from workflows.migrations.planning_waves import FanOutActivities
from workflows.models import Timeouts

MIGRATE_STEP = "migrate"
CONTRACT_STEP = "contract"
UNCONTRACT_STEP = "uncontract"
UNMIGRATE_STEP = "unmigrate"
_WENT_ON = ("delivered", "partly-delivered")
REASONS_TOLD = 3


def operation_of(rollout_id: str, step: str) -> str:
    """The operation that the ledger knows a step of a rollout by; the id of its workflow."""
    return f"{rollout_id}-{step}"


async def run_stage(
    lease: StackLease, step: str, stage: MigrationStage, delivery: str, timeouts: Timeouts
) -> FanOutResult:
    """Migrate the databases of one step, also to their known end when the rollout is cancelled meanwhile.

    Raises an ApplicationError when not all that must be has got its version: then what did is taken back.
    """
    token = await ActivityCall(timeouts).read(FanOutActivities.claim_databases, lease)
    operation = operation_of(lease.rollout_id, step)
    asked = FanOutInput(
        environment=lease.environment,
        lease=MigrationLease(lease.environment, operation, token, lease.rollout_id),
        targets=stage.targets,
        delivery=delivery,
        is_needed=stage.is_needed,
        timeouts=timeouts,
    )
    child = await start_outliving(MigrationFanOutWorkflow.run, asked, operation)
    result, is_cancelled = await told_of_cancellation(
        child, lambda: child.signal(MigrationFanOutWorkflow.cancel, "whoever cancelled the rollout")
    )
    if is_cancelled:
        raise asyncio.CancelledError
    if result.outcome not in _WENT_ON:
        raise ApplicationError(told(result), type="MigrationsFailed", non_retryable=True)
    return result


async def take_back(asked: MigrationsToUndo, step: str, stage: MigrationStage, turn: str, timeouts: Timeouts) -> str:
    """Take back one step's databases. Raises an ApplicationError for one that is neither as it was nor kept."""
    operation = operation_of(asked.lease.rollout_id, step)
    request = UndoRequest(asked.lease, stage.targets, operation, turn)
    results = (await ActivityCall(timeouts.for_migrations()).apply(BatchActivities.undo_operation, request)).results
    broken = [f"{one.target}: {one.why}" for one in results if one.outcome == "needs-operator"]
    if broken:
        raise ApplicationError(_first(broken), type="NotTakenBack", non_retryable=True)
    kept = [one.why for one in results if one.outcome == "kept"]
    line = f"{len(results) - len(kept)} database(s) taken back"
    return f"{line}; {len(kept)} kept: {_first(kept)}" if kept else line


def told(result: FanOutResult) -> str:
    """How a fan-out ended, for a person: first of all why."""
    return "; ".join(part for part in (result.reason, *result.reasons[:REASONS_TOLD]) if part) or result.text


def _first(lines: Sequence[str]) -> str:
    more = len(lines) - REASONS_TOLD
    return "; ".join(lines[:REASONS_TOLD]) + (f"; and {more} more: see `adx migrate status`" if more > 0 else "")
