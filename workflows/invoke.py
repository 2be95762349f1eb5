"""One way for a workflow to call an activity: two kinds of time limit, one retry rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.workflow import ActivityCancellationType

from workflows.models import Timeouts
from workflows.retry import ACTIVITY_RETRY

Argument = TypeVar("Argument")
Value = TypeVar("Value")


class ActivityCall:
    """Calls activities within ``timeouts``. A cancelled activity is awaited: what follows must not overtake it."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    async def read(self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument) -> Value:
        """Call an activity that changes nothing outside ADX's own records; short limit."""
        return await self._call(method, argument, self._timeouts.read_seconds)

    async def apply(self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument) -> Value:
        """Call an activity that may take as long as a rollout takes."""
        return await self._call(method, argument, self._timeouts.apply_seconds)

    async def _call(
        self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument, limit_seconds: float
    ) -> Value:
        return await workflow.execute_activity_method(
            method,
            argument,
            start_to_close_timeout=timedelta(seconds=limit_seconds),
            heartbeat_timeout=timedelta(seconds=self._timeouts.heartbeat_seconds),
            retry_policy=ACTIVITY_RETRY,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
