"""The time-skipping server, one per test, with its worker."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.rollout.doubles import Doubles
from tests.rollout.harness import Harness
from tests.support.binaries import beside_python
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    """A fresh server, so that no test sees another's workflows or skipped time."""
    doubles, task_queue = Doubles(), f"test-{uuid.uuid4()}"
    server = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=beside_python("temporal-test-server")
    )
    async with (
        server as environment,
        Worker(
            environment.client,
            task_queue=task_queue,
            workflows=[EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow],
            activities=doubles.all(),
            workflow_runner=sandboxed_runner(),
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield Harness(environment.client, task_queue, doubles, environment)
