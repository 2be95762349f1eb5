"""The restore: a workflow of its own, so that nothing that ends the rollout ends it too."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from workflows.guarded import Failure, Step, run_steps
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, RestoreRequest, StackLease
from workflows.invoke import ActivityCall
from workflows.models import StepProgress
from workflows.rollout.models import RESTORE_STEPS, RestoreInput, RestoreResult
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest

ROUNDS = 3
PAUSE_BETWEEN_ROUNDS = timedelta(seconds=30)


@workflow.defn
class RestoreWorkflow:
    """Repair → re-apply the last good inputs → wait for workloads → compare with the snapshot.

    A round that fails is followed by another, which reads the cluster afresh
    before it applies. After the last one the result says so; it never raises.
    """

    @workflow.init
    def __init__(self, request: RestoreInput) -> None:
        self._request = request
        self._steps = [StepProgress(name) for name in RESTORE_STEPS]
        self._objects = 0

    @workflow.run
    async def run(self, request: RestoreInput) -> RestoreResult:  # noqa: ARG002 - taken by __init__
        """Restore ``request.snapshot``."""
        failure: Failure | None = None
        for number in range(1, ROUNDS + 1):
            failure = await run_steps(self._round(is_first=number == 1), self._steps)
            if failure is None:
                return RestoreResult(verified=True, objects=self._objects)
            if number < ROUNDS:
                await asyncio.sleep(PAUSE_BETWEEN_ROUNDS.total_seconds())
        assert failure is not None  # noqa: S101 - the loop ran at least once and did not return
        return RestoreResult(verified=False, failure=failure.message, failed_step=failure.step, objects=self._objects)

    @workflow.query
    def steps(self) -> list[StepProgress]:
        """The steps of the round under way."""
        return self._steps

    def _round(self, *, is_first: bool) -> list[Step]:
        request = self._request
        lease = StackLease(request.environment, request.rollout_id, request.fencing_token)
        call = ActivityCall(request.timeouts)
        restore = RestoreRequest(lease, request.snapshot)

        async def repair() -> str:
            count = await call.apply(InfrastructureActivities.repair, restore)
            return f"{count} pending operation(s) repaired" if count else "nothing to repair"

        async def reapply() -> str:
            base = ApplyRequest(lease, request.base_state or "", refresh=not is_first, is_restore=True)
            applied = await call.apply(InfrastructureActivities.apply, base)
            return f"{applied.updates} updated, {applied.creates} created, {applied.deletes} deleted"

        async def redeploy() -> str:
            if request.base_state is None:
                return "nothing was running before"
            ready = await call.apply(
                ServiceActivities.deploy,
                DeployRequest(
                    request.environment,
                    request.rollout_id,
                    request.base_state,
                    tuple(request.changed_services),
                    is_restore=True,
                ),
            )
            return f"{len(ready.services)} workload(s) ready"

        async def verify() -> str:
            verified = await call.apply(InfrastructureActivities.verify_restore, restore)
            self._objects = verified.objects
            healed = f"; drift undone: {', '.join(verified.healed_drift)}" if verified.healed_drift else ""
            return f"{verified.objects} objects are as they were{healed}"

        return [Step("repair", repair), Step("reapply", reapply), Step("redeploy", redeploy), Step("verify", verify)]
