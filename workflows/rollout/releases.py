"""The releases of one rollout: services whose new version takes over request by request, and the way back.

A set of services that was raised together succeeds or is taken back together:
dependencies first on the way there, last on the way back. Workflow code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

from workflows.infrastructure.models import StackLease
from workflows.models import Timeouts
from workflows.rollout.models import RolloutStatus
from workflows.services.deployment import ServiceDeploymentWorkflow
from workflows.services.models import (
    ReleaseChange,
    ReleaseDecision,
    ReleaseInput,
    ReleaseLease,
    ReleaseRequest,
    ReleaseSet,
    ReleaseStatus,
    ReleasesToReturn,
)

SWITCHED_BACK = "SwitchedBack"
_Handle = ChildWorkflowHandle[Any, ReleaseStatus]


def release_workflow_id(rollout_id: str, service: str) -> str:
    """The id of the workflow that delivers one service of a rollout."""
    return f"{rollout_id}-release-{service}"


class Releases:
    """Runs the releases of ``planned``, and remembers which have begun."""

    def __init__(self, planned: ReleaseSet, timeouts: Timeouts, status: RolloutStatus) -> None:
        self._planned, self._timeouts, self._status = planned, timeouts, status
        self._begun: list[ReleaseChange] = []
        self._running: dict[str, _Handle] = {}
        self._switched_back: ReleaseDecision | None = None
        self._is_blue_gone = False

    async def deliver(self, lease: StackLease) -> str:
        """Let every service change its release, stage by stage; a line about it. Raises what kept one from it."""
        for stage in self._planned.stages:
            await self._together(lease, stage)
        return ", ".join(change.name for change in self._planned.changes)

    async def keep_blue(self, is_wanted: Callable[[], bool]) -> str:
        """Wait for as long as the old releases are kept, or until a newer commit waits; a line about it.

        Raises an ApplicationError when a person takes the old ones back.
        """
        changes = self._planned.changes
        drain_seconds = max(change.drain_seconds for change in changes)
        seconds = max(drain_seconds, *(change.keep_blue_seconds for change in changes))
        self._status.kept_until = (workflow.now() + timedelta(seconds=seconds)).isoformat()
        try:
            # What the old release has begun to answer is given its time, whoever waits.
            await self._unless_switched_back(drain_seconds, lambda: False)
            was_short = await self._unless_switched_back(seconds - drain_seconds, is_wanted)
        finally:
            self._status.kept_until = ""
        self._is_blue_gone = True  # from here on nobody knows how much of it still runs
        return "kept no longer: a newer commit waits" if was_short else f"kept for {seconds} s"

    def to_return(self) -> ReleasesToReturn | None:
        """Whose requests a restore gives back to the old release, the last first; None where nothing has begun."""
        if not self._begun:
            return None
        state = self._planned.back_state if self._is_blue_gone else self._planned.state
        return ReleasesToReturn(state, tuple(reversed(self._begun)), is_blue_gone=self._is_blue_gone)

    def check(self, decision: ReleaseDecision) -> None:
        """Raise an ApplicationError when ``decision`` does not fit what is going on."""
        if decision.what == "switch-back":
            if not self._status.kept_until:
                raise ApplicationError("no old release is kept now", type="Refused")
        elif decision.service not in self._running:
            running = ", ".join(sorted(self._running)) or "none"
            raise ApplicationError(
                f"{decision.service} is not changing its release now (those that are: {running})", type="Refused"
            )

    async def decide(self, decision: ReleaseDecision) -> None:
        """Do as a person says."""
        if decision.what == "switch-back":
            self._switched_back = decision
        elif (running := self._running.get(decision.service)) is not None:
            await running.signal(ServiceDeploymentWorkflow.decide, decision)

    async def _together(self, lease: StackLease, stage: tuple[ReleaseChange, ...]) -> None:
        """One stage: when one fails the others give their requests back, too, before this raises."""
        tasks = [asyncio.ensure_future(self._one(lease, change)) for change in stage]
        try:
            await asyncio.gather(*tasks)
        except (Exception, asyncio.CancelledError):  # no `finally`: runs that are forgotten cannot await
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _one(self, lease: StackLease, change: ReleaseChange) -> None:
        self._begun.append(change)
        mine = ReleaseLease(lease.environment, lease.rollout_id)
        request = ReleaseInput(ReleaseRequest(mine, self._planned.state, change), self._timeouts)
        child = await workflow.start_child_workflow(
            ServiceDeploymentWorkflow.run,
            request,
            id=release_workflow_id(lease.rollout_id, change.service),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self._running[change.service] = child
        self._status.releasing = sorted({*self._status.releasing, change.service})
        try:
            await child
        finally:
            del self._running[change.service]

    async def _unless_switched_back(self, seconds: float, is_wanted: Callable[[], bool]) -> bool:
        """Wait ``seconds``, less once ``is_wanted``; whether it was less."""
        try:
            await workflow.wait_condition(
                lambda: self._switched_back is not None or is_wanted(), timeout=timedelta(seconds=seconds)
            )
            was_short = True
        except TimeoutError:
            was_short = False
        said = self._switched_back
        if said is None:
            return was_short
        why = f": {said.reason}" if said.reason else ""
        raise ApplicationError(f"{said.by} switched back{why}", type=SWITCHED_BACK, non_retryable=True)
