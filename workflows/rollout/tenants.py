"""A rollout's part in the delivery of its tenants: starts the fleet, awaits it, lets it make way. Workflow code.

Once the fleet has ended other than restored, tenants are new: nothing that
happens afterwards may restore the rest of the environment past them.
"""

from __future__ import annotations

import contextlib

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.fleet.durable import FleetInput, FleetResult
from workflows.fleet.workflow import FleetWorkflow
from workflows.guarded import start_outliving, told_of_cancellation


def fleet_id(rollout_id: str) -> str:
    """The id of the workflow that delivers the tenants of a rollout."""
    return f"{rollout_id}-fleet"


async def until_ended(request: FleetInput) -> FleetResult:
    """Deliver in waves, also when the rollout is cancelled: then nothing more is started, and what has begun ends."""
    child = await start_outliving(FleetWorkflow.run, request, fleet_id(request.lease.rollout_id))
    result, _ = await told_of_cancellation(
        child, lambda: child.signal(FleetWorkflow.cancel, "whoever cancelled the rollout")
    )
    return result


async def supersede_fleet(rollout_id: str, by: str) -> None:
    """A newer commit waits: the fleet starts nothing more, and ends when what it has begun has ended."""
    with contextlib.suppress(FailureError):  # it has ended meanwhile: nothing is left to give way
        await workflow.get_external_workflow_handle_for(FleetWorkflow.run, fleet_id(rollout_id)).signal(
            FleetWorkflow.supersede, by
        )
