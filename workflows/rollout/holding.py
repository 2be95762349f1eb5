"""Holds the start of a rollout while a freeze or a closed window says so. Workflow code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.guarded import failure_of
from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import DecisionRecord, HoldAnswer, HoldRequest
from workflows.rollout.models import Decision, Receipt, RolloutStatus

LOOK_AGAIN_AFTER = timedelta(hours=1)  # a freeze may be taken back on the branch
LOOK_AGAIN_UNREADABLE_AFTER = timedelta(minutes=5)


class Hold:
    """Waits for the calendar of one rollout to open, and says so in its status."""

    def __init__(self, call: ActivityCall, status: RolloutStatus) -> None:
        self._call = call
        self._status = status
        self._is_overridden = False

    def check(self, decision: Decision) -> None:
        """Raise ApplicationError unless something is held, and the person says why it may start all the same."""
        if not self._status.held_until:
            raise ApplicationError(f"nothing holds {self._status.rollout_id}", type="Refused")
        if not decision.reason.strip():
            raise ApplicationError("an override needs a reason", type="Refused")

    async def override(self, decision: Decision) -> Receipt:
        """Record what the person says, and do not wait any longer."""
        record = DecisionRecord(self._status.environment, "override", decision)
        await self._call.read(RolloutActivities.record_decision, record)
        self._is_overridden = True
        return Receipt(self._status.environment, self._status.commit, f"freeze overridden by {decision.by}")

    async def until_open(self, delivery: str, is_stopped: Callable[[], bool]) -> None:
        """Return once nothing holds the rollout, somebody overrides what does, or ``is_stopped``."""
        try:
            while not (self._is_overridden or is_stopped()):
                answer = await self._look(delivery)
                if not answer.until:
                    return
                self._status.held_until, self._status.held_why = answer.until, answer.why
                await self._rest(datetime.fromisoformat(answer.until), is_stopped)
        finally:
            self._status.held_until = self._status.held_why = ""

    async def _look(self, delivery: str) -> HoldAnswer:
        """The calendar now. One that cannot be read holds as well, for a while: there may be a freeze in it."""
        request = HoldRequest(self._status.environment, delivery, workflow.now().isoformat())
        try:
            return await self._call.read(RolloutActivities.read_hold, request)
        except ActivityError as error:
            again = workflow.now() + LOOK_AGAIN_UNREADABLE_AFTER
            why = f"the calendar cannot be read: {failure_of('calendar', error).message}"
            return HoldAnswer(again.isoformat(), why)

    async def _rest(self, until: datetime, is_stopped: Callable[[], bool]) -> None:
        longest = min(max(until - workflow.now(), timedelta(seconds=1)), LOOK_AGAIN_AFTER)
        try:
            await workflow.wait_condition(lambda: self._is_overridden or is_stopped(), timeout=longest)
        except TimeoutError:
            return
