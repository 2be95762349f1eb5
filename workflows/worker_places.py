"""How many Pulumi operations one worker process runs at once, whichever task queue they came from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from workflows.task_queues import kind_of

HEARTBEAT_SECONDS = 1.0


class PulumiPlaces(Interceptor):
    """Lets activities that run Pulumi wait, first come first served, until one of ``places`` is free.

    One instance belongs to all the workers of a process: they share its memory.
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
        async with _place(self._free):
            return await super().execute_activity(input)


@contextlib.asynccontextmanager
async def _place(free: asyncio.Semaphore) -> AsyncIterator[None]:
    """Hold a place; while there is none, say so in heartbeats, so that nobody takes the worker for dead."""
    taking = asyncio.ensure_future(free.acquire())
    try:
        while not (await asyncio.wait({taking}, timeout=HEARTBEAT_SECONDS))[0]:
            activity.heartbeat("waits: other operations are under way")
    except BaseException:
        if not taking.cancel():
            free.release()
        raise
    try:
        yield
    finally:
        free.release()
