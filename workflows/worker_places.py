"""How many Pulumi operations one worker process runs at once, whichever task queue they came from."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from workflows.task_queues import kind_of


class PulumiPlaces(Interceptor):
    """Lets activities that run Pulumi wait, first come first served, until one of ``places`` is free.

    One instance belongs to all the workers of a process: they share its memory.
    That what waits is alive is said by :class:`workflows.heartbeats.Heartbeats`, which stands around it.
    """

    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own parameter name
        return _Waiting(super().intercept_activity(next), self._free)


class _Waiting(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, free: asyncio.Semaphore) -> None:
        super().__init__(following)
        self._free = free

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own parameter name
        if kind_of(activity.info().activity_type) != "cells":
            return await super().execute_activity(input)
        must_wait = self._free.locked()
        if must_wait:
            activity.heartbeat("waits: other operations are under way")
        async with self._free:
            if must_wait:
                activity.heartbeat("")  # or it would be seen waiting until it says something itself
            return await super().execute_activity(input)
