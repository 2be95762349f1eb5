"""A worker for rollouts with configuration, with doubled activities, on the time-skipping test server."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.configuration.delivery.doubles import ConfigurationDoubles
from tests.support.binaries import beside_python
from workflows.configuration.durable import ConfigurationUpdate, UpdateStatus
from workflows.configuration.workflow import ConfigurationRestoreWorkflow, ConfigurationUpdateWorkflow
from workflows.rollout.models import RolloutInput, RolloutStatus, Submission
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner

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
async def opened(doubles: ConfigurationDoubles) -> AsyncIterator[Harness]:
    """A server of its own."""
    task_queue = f"test-{uuid.uuid4()}"
    program = beside_python("temporal-test-server")
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program) as server,
        Worker(
            server.client,
            task_queue=task_queue,
            workflows=WORKFLOWS,
            activities=doubles.all(),
            workflow_runner=sandboxed_runner(),
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield Harness(server.client, task_queue, doubles)
