"""Waits until somebody agrees to the plan of a rollout, and judges who may. Workflow code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import DecisionRecord
from workflows.rollout.models import Decision, Receipt, RolloutStatus


class Approval:
    """The approval of one rollout; its status says while it is waited for, and by whom it may come."""

    def __init__(self, call: ActivityCall, status: RolloutStatus) -> None:
        self._call = call
        self._status = status
        self._by = ""

    def check(self, decision: Decision) -> None:
        """Raise ApplicationError unless somebody is asked, and this person among them."""
        if not self._status.waiting_for_approval:
            raise ApplicationError(f"{self._status.rollout_id} is not waiting for approval", type="Refused")
        named = decision.by in self._status.approvers and ":" not in decision.by
        if self._status.approvers and not named:
            allowed = ", ".join(self._status.approvers)
            raise ApplicationError(f"{decision.by} may not approve; these may: {allowed}", type="Refused")

    async def give(self, decision: Decision) -> Receipt:
        """Record that the person agrees. Raises ApplicationError when that comes too late."""
        record = DecisionRecord(self._status.environment, "approve", decision)
        await self._call.read(RolloutActivities.record_decision, record)
        if not self._status.waiting_for_approval:
            raise ApplicationError("it is too late: the plan does not wait any more", type="Refused")
        self._by = decision.by
        return Receipt(self._status.environment, self._status.commit, f"approved by {decision.by}")

    async def wait(self, approvers: Sequence[str] | None, limit_hours: int, is_stopped: Callable[[], bool]) -> None:
        """Return once somebody agrees or ``is_stopped``, at once where ``approvers`` is None.

        Raises ApplicationError when nobody does within the limit.
        """
        if approvers is None:
            return
        self._status.waiting_for_approval, self._status.approvers = True, list(approvers)
        try:
            await workflow.wait_condition(lambda: bool(self._by) or is_stopped(), timeout=timedelta(hours=limit_hours))
        except TimeoutError as error:
            message = f"nobody approved within {limit_hours} h"
            raise ApplicationError(message, type="ApprovalTimedOut", non_retryable=True) from error
        finally:
            self._status.waiting_for_approval = False

    def told(self, line: str) -> str:
        """``line``, and who agreed to it."""
        return f"{line}; approved by {self._by}" if self._by else line
