"""A worker in the test's own process, and how tests wait for what it does about drift."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from pipelines.toolchain import with_toolchain
from tests.delivery.delivery import Delivery
from workflows import worker
from workflows.drift.models import DriftResult
from workflows.drift.schedule import schedule_id
from workflows.drift.workflow import DriftWorkflow
from workflows.ledger import rollouts
from workflows.ledger.models import Rollout
from workflows.runtime import Runtime, open_runtime
from workflows.task_queues import KINDS, Places

# The longest there is: schedules keep to the clock, so that an hourly check would come by itself at each full hour.
CHECK_EVERY_SECONDS = 604_800


@contextlib.asynccontextmanager
async def serving(delivery: Delivery) -> AsyncIterator[Runtime]:
    """Serve the delivery's task queues with everything that ADX has."""
    environ = with_toolchain({**os.environ, **delivery.environ})
    async with (
        open_runtime(environ) as runtime,
        worker.working(worker.workers_for(delivery.client, runtime, delivery.environment, KINDS, Places())),
    ):
        yield runtime


async def checked(delivery: Delivery) -> DriftResult:
    """Let the schedule check now, and wait for what comes of it."""
    handle = delivery.client.get_schedule_handle(schedule_id(delivery.environment, delivery.environment))
    before = {action.action.workflow_id for action in await _actions(handle)}
    await handle.trigger()
    while not (new := [one for one in await _actions(handle) if one.action.workflow_id not in before]):
        await asyncio.sleep(0.1)
    return await delivery.client.get_workflow_handle_for(DriftWorkflow.run, new[-1].action.workflow_id).result()


async def ended(delivery: Delivery, number: int = 1) -> Rollout:
    """The newest heal, once there are so many and it has ended."""
    while True:
        heals = [
            one for one in await rollouts.newest(delivery.ledger, delivery.environment, limit=20) if one.kind == "heal"
        ]
        if len(heals) >= number and heals[0].finished_at is not None:
            return heals[0]
        await asyncio.sleep(0.1)


async def _actions(handle: Any) -> list[Any]:
    return list((await handle.describe()).info.recent_actions)
