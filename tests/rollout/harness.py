"""A worker with doubled activities on the time-skipping test server."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.rollout.doubles import Doubles
from tests.support.temporal_servers import skipping_server
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import RolloutStatus
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner
from workflows.services.deployment import ServiceDeploymentWorkflow
from workflows.task_queues import KINDS, Kind, kind_of, queue_of

WORKFLOWS = [EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow, ServiceDeploymentWorkflow]


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
            try:
                status = await handle.query(RolloutWorkflow.status)
            except RPCError as error:  # its environment names it a moment before the server has it
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
            else:
                if is_reached(status):
                    return status
            await asyncio.sleep(0.02)


def _worker(client: Client, task_queue: str, kind: Kind, doubles: Doubles) -> Worker:
    """Serves the work of one kind, as worker processes do."""
    return Worker(
        client,
        task_queue=queue_of(task_queue, kind),
        workflows=WORKFLOWS if kind == "workflows" else [],
        activities=[one for one in doubles.all() if kind in ("workflows", kind_of(one.__name__))],
        workflow_runner=sandboxed_runner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )


@contextlib.asynccontextmanager
async def harness_on_new_server(doubles: Doubles) -> AsyncIterator[Harness]:
    """A server of its own, so that nobody sees another's workflows or skipped time."""
    task_queue = f"test-{uuid.uuid4()}"
    async with (
        await skipping_server() as server,
        contextlib.AsyncExitStack() as workers,
    ):
        for kind in KINDS:
            await workers.enter_async_context(_worker(server.client, task_queue, kind, doubles))
        yield Harness(server.client, task_queue, doubles, server)
