"""A worker with doubled activities on the time-skipping test server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.rollout.doubles import Doubles
from workflows.rollout.models import RolloutStatus
from workflows.rollout.workflow import RolloutWorkflow


@dataclass
class Harness:
    """What a workflow test needs: a client, a queue that a worker serves, and the doubles behind it."""

    client: Client
    task_queue: str
    doubles: Doubles
    server: WorkflowEnvironment

    async def pass_time(self, seconds: float) -> None:
        """Let the server's clock skip ahead; it stands still by itself while a test only asks."""
        await self.server.sleep(seconds)

    async def until(
        self,
        handle: WorkflowHandle[RolloutWorkflow, RolloutStatus],
        is_reached: Callable[[RolloutStatus], bool],
    ) -> RolloutStatus:
        """Ask for the status until it is as wanted; the test's own timeout bounds this."""
        while True:
            status = await handle.query(RolloutWorkflow.status)
            if is_reached(status):
                return status
            await asyncio.sleep(0.02)
