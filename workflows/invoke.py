"""One way for a workflow to call an activity: two kinds of time limit, one retry rule, one queue for each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityCancellationType

from workflows.guarded import failure_of
from workflows.models import Timeouts
from workflows.retry import ACTIVITY_RETRY
from workflows.task_queues import kind_of, queue_of

PAUSE_AFTER_FAILURE_SECONDS = 30

Argument = TypeVar("Argument")
Value = TypeVar("Value")


class ActivityCall:
    """Calls activities within ``timeouts``. A cancelled activity is awaited: what follows must not overtake it.

    With an ``environment`` they wait in the task queue of their kind, where environments take turns; without one in
    the queue of the workflow. Neither is part of what a replay compares, so workflows may change from one to the other.
    """

    def __init__(self, timeouts: Timeouts, environment: str = "") -> None:
        self._timeouts = timeouts
        self._environment = environment

    async def read(self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument) -> Value:
        """Call an activity that changes nothing outside ADX's own records; short limit."""
        return await self._call(method, argument, self._timeouts.read_seconds)

    async def read_at_last(
        self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument, what: str
    ) -> Value:
        """As ``read``, tried until it succeeds: for what must become known, however long the ledger is away."""
        while True:
            try:
                return await self.read(method, argument)
            except ActivityError as error:
                workflow.logger.warning("cannot %s: %s", what, failure_of("status", error).message)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    async def apply(self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument) -> Value:
        """Call an activity that may take as long as a rollout takes."""
        return await self._call(method, argument, self._timeouts.apply_seconds)

    async def _call(
        self, method: Callable[[Any, Argument], Awaitable[Value]], argument: Argument, limit_seconds: float
    ) -> Value:
        return await workflow.execute_activity_method(
            method,
            argument,
            task_queue=self._queue(method.__name__),
            start_to_close_timeout=timedelta(seconds=limit_seconds),
            heartbeat_timeout=timedelta(seconds=self._timeouts.heartbeat_seconds),
            retry_policy=ACTIVITY_RETRY,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(fairness_key=self._environment) if self._environment else Priority.default,
        )

    def _queue(self, activity: str) -> str | None:
        """None: the queue of the workflow."""
        return queue_of(workflow.info().task_queue, kind_of(activity)) if self._environment else None
