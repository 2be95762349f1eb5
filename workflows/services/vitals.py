"""Whether a new release still lives while it bakes, whatever its requests say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from policies.desired_state import DesiredState
from workflows.errors import AdxConnectionError, AdxTimeoutError, ReleaseRejected
from workflows.runtime import Runtime
from workflows.services.gateways import healthy_instances
from workflows.services.models import ReleaseChange

EVERY_SECONDS = 1.0
DEAD_AFTER_LOOKS = 5
"""So many times in a row nobody may be healthy: a node is drained, one check is lost, and no release is bad for it."""


class Vitals:
    """Looks after the instances of ``change`` in ``state``. ``clock`` gives Temporal's time in seconds."""

    def __init__(
        self, runtime: Runtime, state: DesiredState, change: ReleaseChange, clock: Callable[[], float]
    ) -> None:
        self._runtime, self._state, self._change, self._clock = runtime, state, change, clock
        self._dead_looks = 0

    async def until(self, deadline: float) -> None:
        """Wait. Raises ReleaseRejected once no instance has been healthy for a while."""
        while (left := deadline - self._clock()) > 0:
            await self._look()
            await asyncio.sleep(min(left, EVERY_SECONDS))

    async def _look(self) -> None:
        try:
            healthy = await healthy_instances(self._runtime, self._state, self._change)
        except (AdxConnectionError, AdxTimeoutError):
            return  # whoever cannot be asked says nothing about the release
        self._dead_looks = 0 if healthy else self._dead_looks + 1
        if self._dead_looks >= DEAD_AFTER_LOOKS:
            raise ReleaseRejected(
                f"{self._change.name}: no instance is healthy any more",
                next_step=f"look at the pods of {self._change.service}, correct it and merge again",
            )
