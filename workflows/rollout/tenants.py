"""A rollout's part in the delivery of its tenants: starts the fleet, awaits it, lets it make way. Workflow code.

Once the fleet has ended other than restored, tenants are new: nothing that
happens afterwards may restore the rest of the environment past them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from workflows.cells.models import CellLease
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import FleetInput, FleetResult, SettleRequest
from workflows.fleet.workflow import FleetWorkflow
from workflows.guarded import finish_despite_cancellation, start_outliving, told_of_cancellation
from workflows.infrastructure.models import StackLease
from workflows.invoke import ActivityCall
from workflows.models import Timeouts
from workflows.rollout.activity_models import Validated

REASONS_TOLD = 3


def fleet_id(rollout_id: str) -> str:
    """The id of the workflow that delivers the tenants of a rollout."""
    return f"{rollout_id}-fleet"


class Tenants:
    """Delivers the tenants of one rollout in waves, and remembers what came of it."""

    def __init__(self, call: ActivityCall, timeouts: Timeouts) -> None:
        self._call, self._timeouts = call, timeouts
        self._waves_of = ""  # the rollout whose waves run now
        self.are_new = False
        self.delivered_state = ""  # the digest of what the environment holds, once it is known
        self.partly = ""  # why not every tenant has what was delivered

    async def deliver(self, lease: StackLease, validated: Validated, superseded_by: Callable[[], str]) -> str:
        """Deliver them; a line about it. Fails, so that the rest is restored, only when they are all as they were."""
        token = await self._call.read(FleetActivities.claim_environment, lease)
        request = FleetInput(
            CellLease(lease.environment, lease.rollout_id, token),
            validated.core_state,
            validated.desired_state,
            validated.delivery,
            timeouts=self._timeouts,
            superseded_by=superseded_by(),
        )
        self._waves_of = lease.rollout_id
        fleet = await _until_ended(request)
        self._waves_of = ""
        if fleet.outcome == "restored":
            raise ApplicationError(fleet.summary.reason or fleet.summary.text, type="FleetRestored", non_retryable=True)
        self.are_new = True
        settle = SettleRequest(lease.environment, validated.core_state, validated.desired_state, fleet.delivered)
        self.delivered_state = await finish_despite_cancellation(
            self._call.read_at_last(FleetActivities.settle, settle, "settle the waves")
        )
        if fleet.outcome != "delivered":
            told = [fleet.summary.text, fleet.summary.reason, *fleet.reasons[:REASONS_TOLD]]
            self.partly = "; ".join(part for part in told if part)
        return fleet.summary.text

    async def supersede(self, by: str) -> None:
        """A newer commit waits: waves that run start nothing more, and end when what they have begun has ended."""
        if not self._waves_of:
            return
        fleet = workflow.get_external_workflow_handle_for(FleetWorkflow.run, fleet_id(self._waves_of))
        with contextlib.suppress(FailureError):  # it has ended meanwhile: nothing is left to give way
            await fleet.signal(FleetWorkflow.supersede, by)


async def _until_ended(request: FleetInput) -> FleetResult:
    """Deliver in waves, also when the rollout is cancelled: then nothing more is started, and what has begun ends."""
    child = await start_outliving(FleetWorkflow.run, request, fleet_id(request.lease.rollout_id))
    result, _ = await told_of_cancellation(
        child, lambda: child.signal(FleetWorkflow.cancel, "whoever cancelled the rollout")
    )
    return result
