"""The deployment of one service: its new release proves itself before it has requests, and while it gets more of them.

::

    green is healthy → mirrored requests → shift, bake → … → all requests, bake
                  └─ whatever fails or is aborted: all requests back to blue, at once

Green runs beside blue already; the rollout removes blue when the whole set of
services has been proven, and takes the set back when one of them has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.guarded import FAILURES, failure_of, finish_despite_cancellation
from workflows.invoke import ActivityCall
from workflows.services.models import (
    BakeRequest,
    Found,
    ReleaseDecision,
    ReleaseInput,
    ReleaseStatus,
    ReleasesToReturn,
    ReturnRequest,
    Shift,
    ShiftRequest,
)
from workflows.services.release_activities import ReleaseActivities

ABORTED = "ReleaseAborted"
LATE_SECONDS = 3600
"""What a bake may take beyond its time: metrics may be away for a while, and workers be restarted."""


@workflow.defn
class ServiceDeploymentWorkflow:
    """Gives green more and more of the requests; on any failure, abort or cancellation blue has them all again."""

    @workflow.init
    def __init__(self, request: ReleaseInput) -> None:
        lease, self._change = request.of.lease, request.of.change
        self._request = request
        self._environment = lease.environment
        self._call = ActivityCall(request.timeouts, lease.environment)
        self._status = ReleaseStatus(self._change, since=_now())
        self._turns = 0
        self._is_promoted = self._is_fully_promoted = False
        self._aborted_by: ReleaseDecision | None = None

    @workflow.run
    async def run(self, request: ReleaseInput) -> ReleaseStatus:  # noqa: ARG002 - taken by __init__
        """Deliver ``request.of.change``; raises what kept green from serving."""
        try:
            await self._deliver()
        except FAILURES as error:  # raised again, once blue has all requests
            self._status.line = failure_of(self._change.service, error).message
            await finish_despite_cancellation(self._return())
            raise
        self._enter("serving", line=f"{self._change.name} has all requests")
        return self._status

    @workflow.query
    def status(self) -> ReleaseStatus:
        """The release as it stands."""
        return self._status

    @workflow.signal
    def decide(self, decision: ReleaseDecision) -> None:
        """Promote: end the bake under way, or else the next one, as passed; or all that are left. Abort: fail now."""
        if decision.what == "abort":
            self._aborted_by = decision
        else:
            self._is_promoted, self._is_fully_promoted = True, self._is_fully_promoted or decision.is_full

    async def _deliver(self) -> None:
        change = self._change
        await self._unless_decided(self._call.apply(ReleaseActivities.wait_for_green, self._request.of))
        if change.mirror_percent and change.blue:
            await self._mirror()
        for shift in change.shifts:
            if self._is_fully_promoted and shift.weight_percent < 100:
                continue
            await self._shift(shift)

    async def _mirror(self) -> None:
        """Green answers copies of real requests, and nobody waits for its answers."""
        self._enter("mirroring", bake_seconds=self._change.mirror_seconds)
        await self._move(0, self._change.mirror_percent)
        await self._bake(Shift(0, self._change.mirror_seconds))

    async def _shift(self, shift: Shift) -> None:
        self._enter("shifting")
        await self._move(shift.weight_percent)
        self._enter("baking", weight_percent=shift.weight_percent, bake_seconds=shift.bake_seconds)
        if shift.bake_seconds:
            await self._bake(shift)

    async def _move(self, weight_percent: int, mirror_percent: int = 0) -> None:
        self._check_aborted()
        request = ShiftRequest(self._request.of, weight_percent, self._turn(), mirror_percent)
        await self._call.read(ReleaseActivities.shift, request)
        self._check_aborted()  # said meanwhile; so a cancellation may have been that the activity did not hear of
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError

    async def _bake(self, shift: Shift) -> None:
        """Until green has been judged for as long as declared, or a person does not want to wait."""
        request = BakeRequest(self._request.of, shift.weight_percent, self._status.since, shift.bake_seconds)
        call = ActivityCall(
            replace(self._request.timeouts, apply_seconds=shift.bake_seconds + LATE_SECONDS), self._environment
        )
        await self._unless_decided(call.apply(ReleaseActivities.bake, request), may_be_promoted=True)
        self._is_promoted = self._is_fully_promoted  # the next one is another one

    async def _unless_decided(self, work: Awaitable[Found], *, may_be_promoted: bool = False) -> None:
        """Await ``work``; an abort ends it as failed, a promotion, where it may be promoted, as done."""
        task, cancelled = asyncio.ensure_future(work), None
        try:
            await workflow.wait_condition(
                lambda: task.done() or self._aborted_by is not None or (may_be_promoted and self._is_promoted)
            )
        except asyncio.CancelledError as error:  # no `finally`: a worker that forgets this run could not await in it
            cancelled = error
        is_over = task.done()
        if not is_over:
            task.cancel()
            await workflow.wait([task])
        if cancelled is not None:
            raise cancelled
        self._check_aborted()
        if is_over:
            self._status.line = task.result().text
        else:
            self._status.line = "promoted by a person before the time was over"

    def _check_aborted(self) -> None:
        said = self._aborted_by
        if said is not None:
            why = f": {said.reason}" if said.reason else ""
            raise ApplicationError(f"{self._change.name} aborted by {said.by}{why}", type=ABORTED, non_retryable=True)

    async def _return(self) -> None:
        """All requests to blue. Where that fails, the restore of the rollout tries on, for longer."""
        back = ReleasesToReturn(self._request.of.state, (self._change,))
        request = ReturnRequest(self._request.of.lease, back, self._turn())
        try:
            await self._call.read(ReleaseActivities.return_traffic, request)
        except ActivityError as error:
            workflow.logger.warning("cannot give requests back: %s", failure_of("return", error).message)
            return
        self._enter("returned", line=self._status.line)

    def _enter(self, phase: str, *, weight_percent: int | None = None, bake_seconds: int = 0, line: str = "") -> None:
        now = workflow.now()
        status = self._status
        status.phase, status.since, status.line = phase, now.isoformat(), line
        status.until = (now + timedelta(seconds=bake_seconds)).isoformat() if bake_seconds else ""
        if phase == "returned":
            status.weight_percent = 0
        elif weight_percent is not None:
            status.weight_percent = weight_percent

    def _turn(self) -> str:
        self._turns += 1
        return f"{workflow.info().workflow_id}.{self._turns}"


def _now() -> str:
    return workflow.now().isoformat()
