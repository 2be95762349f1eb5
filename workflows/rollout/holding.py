"""Holds the start of a rollout while a freeze or a closed window says so. Workflow code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.models import HoldRequest, RolloutStatus

LOOK_AGAIN_AFTER = timedelta(hours=1)  # a freeze may be taken back on the branch


class Hold:
    """Waits for the calendar of one rollout to open, and says so in its status."""

    def __init__(self, call: ActivityCall, status: RolloutStatus) -> None:
        self._call = call
        self._status = status
        self._is_overridden = False

    def override(self) -> None:
        """Do not wait any longer."""
        self._is_overridden = True

    async def until_open(self, delivery: str, is_stopped: Callable[[], bool]) -> None:
        """Return once nothing holds the rollout, somebody overrides what does, or ``is_stopped``."""
        try:
            while not (self._is_overridden or is_stopped()):
                request = HoldRequest(self._status.environment, delivery, workflow.now().isoformat())
                answer = await self._call.read(RolloutActivities.read_hold, request)
                if not answer.until:
                    return
                self._status.held_until, self._status.held_why = answer.until, answer.why
                await self._rest(datetime.fromisoformat(answer.until), is_stopped)
        finally:
            self._status.held_until = self._status.held_why = ""

    async def _rest(self, until: datetime, is_stopped: Callable[[], bool]) -> None:
        longest = min(max(until - workflow.now(), timedelta(seconds=1)), LOOK_AGAIN_AFTER)
        try:
            await workflow.wait_condition(lambda: self._is_overridden or is_stopped(), timeout=longest)
        except TimeoutError:
            return
