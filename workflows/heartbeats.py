"""Says of every activity that it lives, so that one which only waits is not taken for dead.

Whoever calls an activity expects a sign of life every few seconds
(:mod:`workflows.invoke`). It comes from here, as long as the event loop of the
worker turns; how long an activity may take is bounded by its own limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

INTERVAL_SECONDS = 2.0


class Heartbeats(Interceptor):
    """Sends a heartbeat for each activity every ``interval_seconds``, with what the activity itself said last."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval_seconds = interval_seconds

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own parameter name
        return _Beating(super().intercept_activity(next), self._interval_seconds)


class _Said(ActivityOutboundInterceptor):
    """Remembers what an activity said last: a heartbeat without it would wipe it out."""

    last: tuple[Any, ...] = ()
    is_recent = False

    def heartbeat(self, *details: Any) -> None:
        self.last, self.is_recent = details, True
        super().heartbeat(*details)

    def again(self) -> None:
        """Say it once more, unless the activity has spoken since the last call."""
        if not self.is_recent:
            super().heartbeat(*self.last)
        self.is_recent = False


class _Beating(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, interval_seconds: float) -> None:
        super().__init__(following)
        self._interval_seconds = interval_seconds

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._said = _Said(outbound)
        super().init(self._said)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own parameter name
        beating = asyncio.create_task(self._beat())
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            self._said.again()
            await asyncio.sleep(self._interval_seconds)
