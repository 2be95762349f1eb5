"""A scheduled check for drift, and the heal that it asks for."""

from __future__ import annotations

from temporalio import workflow

from workflows.drift.activities import DriftActivities
from workflows.drift.models import DriftInput, DriftRequest, DriftResult
from workflows.invoke import ActivityCall
from workflows.rollout.models import Submission


@workflow.defn
class DriftWorkflow:
    """Started by the schedule of its environment, by one at a time. Changes nothing itself.

    A heal is handed to the environment, whose workflow is the lock, and not
    awaited: the next check sees what became of it.
    """

    @workflow.run
    async def run(self, request: DriftInput) -> DriftResult:
        """Check ``request.environment``."""
        call = ActivityCall(request.timeouts, request.environment)
        found = await call.apply(DriftActivities.check_drift, DriftRequest(request.environment))
        if not found.to_heal:
            return DriftResult(found)
        heal = Submission(request.environment, found.commit, "adx", "drift", kind="heal", units=found.to_heal)
        receipt = await call.read(DriftActivities.submit_heal, heal)
        return DriftResult(found, receipt.message)
