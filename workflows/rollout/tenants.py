"""A rollout's part in the delivery of its tenants: starts the fleet, awaits it, settles what came of it.

Once the fleet has ended other than restored, tenants are new: nothing that
happens afterwards may restore the rest of the environment past them.
"""

from __future__ import annotations

import asyncio
import contextlib

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import FleetInput, FleetResult, SettleRequest
from workflows.fleet.workflow import FleetWorkflow
from workflows.guarded import failure_of, finish_despite_cancellation
from workflows.invoke import ActivityCall

PAUSE_AFTER_FAILED_SETTLING_SECONDS = 30


def fleet_id(rollout_id: str) -> str:
    """The id of the workflow that delivers the tenants of a rollout."""
    return f"{rollout_id}-fleet"


async def until_ended(request: FleetInput) -> FleetResult:
    """Deliver in waves, also when the rollout is cancelled: then nothing more is started, and what has begun ends."""
    child = await workflow.start_child_workflow(
        FleetWorkflow.run,
        request,
        id=fleet_id(request.lease.rollout_id),
        parent_close_policy=ParentClosePolicy.ABANDON,
        cancellation_type=ChildWorkflowCancellationType.ABANDON,
    )
    waiting = asyncio.ensure_future(finish_despite_cancellation(child))
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        with contextlib.suppress(FailureError):  # it has ended meanwhile: its result says how
            await child.signal(FleetWorkflow.cancel, "whoever cancelled the rollout")
        return await finish_despite_cancellation(waiting)


async def supersede_fleet(rollout_id: str, by: str) -> None:
    """A newer commit waits: the fleet starts nothing more, and ends when what it has begun has ended."""
    with contextlib.suppress(FailureError):  # it has ended meanwhile: nothing is left to give way
        await workflow.get_external_workflow_handle_for(FleetWorkflow.run, fleet_id(rollout_id)).signal(
            FleetWorkflow.supersede, by
        )


async def settled(call: ActivityCall, request: SettleRequest) -> str:
    """The digest of what the environment holds now; tried until it can be kept, since tenants are delivered."""
    while True:
        try:
            return await call.read(FleetActivities.settle, request)
        except ActivityError as error:
            workflow.logger.warning("cannot settle the waves: %s", failure_of("tenants", error).message)
            await asyncio.sleep(PAUSE_AFTER_FAILED_SETTLING_SECONDS)
