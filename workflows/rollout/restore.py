"""The restore: a workflow of its own, so that nothing that ends the rollout ends it too."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from workflows.guarded import PAUSE_BETWEEN_ROUNDS_SECONDS, RESTORE_ROUNDS, Failure, Step, run_steps
from workflows.invoke import ActivityCall
from workflows.models import StepProgress
from workflows.rollout.models import RestoreInput, RestoreResult
from workflows.rollout.restoring import Restored, Round


@workflow.defn
class RestoreWorkflow:
    """Repair → re-apply the last good inputs → wait for workloads → compare with the snapshot.

    A round that fails is followed by another, which reads the cluster afresh
    before it applies. After the last one the result says so; it never raises.
    """

    @workflow.init
    def __init__(self, request: RestoreInput) -> None:
        self._request = request
        self._restored = Restored()
        self._steps = [StepProgress(step.name) for step in self._round(1)]

    @workflow.run
    async def run(self, request: RestoreInput) -> RestoreResult:  # noqa: ARG002 - taken by __init__
        """Restore ``request.snapshot``."""
        failure: Failure | None = None
        for number in range(1, RESTORE_ROUNDS + 1):
            failure = await run_steps(self._round(number), self._steps)
            if failure is None:
                return RestoreResult(verified=True, objects=self._restored.objects, kept=self._restored.kept)
            if number < RESTORE_ROUNDS:
                await asyncio.sleep(PAUSE_BETWEEN_ROUNDS_SECONDS)
        assert failure is not None  # noqa: S101 - the loop ran at least once and did not return
        return RestoreResult(
            verified=False,
            failure=failure.message,
            failed_step=failure.step,
            objects=self._restored.objects,
            has_returned_traffic=self._restored.has_returned,
        )

    @workflow.query
    def steps(self) -> list[StepProgress]:
        """The steps of the round under way."""
        return self._steps

    def _round(self, number: int) -> list[Step]:
        call = ActivityCall(self._request.timeouts, self._request.environment)
        return Round(self._request, call, number, self._restored).steps()
