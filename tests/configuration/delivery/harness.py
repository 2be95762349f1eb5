"""A worker for rollouts with configuration, with doubled activities, on the time-skipping test server."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Interceptor, Worker

from tests.configuration.delivery.doubles import ConfigurationDoubles
from tests.support.temporal_servers import skipping_server
from workflows.configuration.durable import ConfigurationUpdate, UpdateStatus
from workflows.configuration.workflow import ConfigurationRestoreWorkflow, ConfigurationUpdateWorkflow
from workflows.rollout.models import RolloutInput, RolloutStatus, Submission
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner
from workflows.task_queues import KINDS, Kind, kind_of, queue_of

UPDATE = ConfigurationUpdate("development", "rollout", "desired-state", "base-state", "delivery", "ada@example.com")
WORKFLOWS = [RolloutWorkflow, RestoreWorkflow, ConfigurationUpdateWorkflow, ConfigurationRestoreWorkflow]


@dataclass
class Harness:
    """A client, a queue that a worker serves, and the doubles behind it."""

    client: Client
    task_queue: str
    doubles: ConfigurationDoubles

    async def update(self) -> WorkflowHandle[ConfigurationUpdateWorkflow, UpdateStatus]:
        """An update by itself."""
        return await self.client.start_workflow(
            ConfigurationUpdateWorkflow.run, UPDATE, id="rollout-configuration", task_queue=self.task_queue
        )

    async def rollout(self) -> WorkflowHandle[RolloutWorkflow, RolloutStatus]:
        """A rollout that has one."""
        submission = Submission("development", "a" * 40, "ada@example.com", "cli")
        return await self.client.start_workflow(
            RolloutWorkflow.run, RolloutInput(submission), id="rollout", task_queue=self.task_queue
        )


@contextlib.asynccontextmanager
async def opened(doubles: ConfigurationDoubles, *interceptors: Interceptor) -> AsyncIterator[Harness]:
    """A server of its own."""
    task_queue = f"test-{uuid.uuid4()}"
    async with (
        await skipping_server() as server,
        contextlib.AsyncExitStack() as workers,
    ):
        for kind in KINDS:
            await workers.enter_async_context(_worker(server.client, task_queue, kind, doubles, interceptors))
        yield Harness(server.client, task_queue, doubles)


def _worker(
    client: Client, task_queue: str, kind: Kind, doubles: ConfigurationDoubles, interceptors: Sequence[Interceptor]
) -> Worker:
    """Serves the work of one kind and nothing else."""
    return Worker(
        client,
        task_queue=queue_of(task_queue, kind),
        workflows=WORKFLOWS if kind == "workflows" else [],
        activities=[one for one in doubles.all() if kind_of(one.__name__) == kind],
        interceptors=interceptors,
        workflow_runner=sandboxed_runner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )
