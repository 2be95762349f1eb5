"""No activity is taken for dead because it only waits, and what it says is not wiped out."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from unittest.mock import Mock

from temporalio import activity, workflow
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.fleet.doubles import real_server
from workflows.heartbeats import Heartbeats
from workflows.runtime import Runtime
from workflows.task_queues import KINDS, Places
from workflows.worker import workers_for

LIMIT = timedelta(seconds=1)
INTERVAL_SECONDS = 0.05


@workflow.defn
class Patient:
    """Calls one activity, which must show a sign of life in time; once."""

    @workflow.run
    async def run(self, name: str) -> str:
        """What it answers."""
        answer: str = await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=LIMIT,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        return answer


@dataclass
class Slow:
    """Activities that end when they may."""

    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn
    async def silent(self) -> str:
        """Waits without a word."""
        await self.may_end.wait()
        return "done"

    @activity.defn
    async def spoken(self) -> str:
        """Says something at first."""
        activity.heartbeat("fetching")
        await self.may_end.wait()
        return "done"


@asynccontextmanager
async def asked(slow: Slow, name: str) -> AsyncIterator[WorkflowHandle[Patient, str]]:
    """A workflow that waits for one of them."""
    async with (
        await real_server() as server,
        Worker(
            server.client,
            task_queue="patient",
            workflows=[Patient],
            activities=[slow.silent, slow.spoken],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[Heartbeats(INTERVAL_SECONDS)],
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
            default_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield await server.client.start_workflow(Patient.run, name, id=str(uuid.uuid4()), task_queue="patient")


async def last_sign(handle: WorkflowHandle[Patient, str]) -> tuple[datetime, str]:
    """When the server last heard of the activity, and what; the workflow must not have ended."""
    while True:
        described = await handle.describe()
        assert described.status is WorkflowExecutionStatus.RUNNING, "the activity was taken for dead"
        for pending in cast("list[PendingActivityInfo]", described.raw_description.pending_activities):
            if pending.HasField("last_heartbeat_time"):
                said = pending.heartbeat_details.payloads
                return pending.last_heartbeat_time.ToDatetime(), str(said[0].data) if said else ""


async def heard_for(handle: WorkflowHandle[Patient, str], span: timedelta) -> str:
    """Until the server has heard of the activity for so long; what it heard last."""
    first, _ = await last_sign(handle)
    while True:
        at, said = await last_sign(handle)
        if at - first > span:
            return said


async def test_an_activity_that_never_speaks_may_take_longer_than_a_heartbeat_may_be_late() -> None:
    """Such as a fetch of a large repository: once is enough."""
    slow = Slow()
    async with asked(slow, "silent") as handle:
        await heard_for(handle, 2 * LIMIT)
        slow.may_end.set()
        assert await handle.result() == "done"


async def test_what_an_activity_said_itself_stays_what_is_seen_of_it() -> None:
    """It is said again, not replaced by nothing."""
    slow = Slow()
    async with asked(slow, "spoken") as handle:
        said = await heard_for(handle, LIMIT)
        slow.may_end.set()
        assert await handle.result() == "done"

    assert "fetching" in said


async def test_every_worker_says_of_its_activities_that_they_live() -> None:
    """Of whatever kind."""
    async with await real_server() as server:
        workers = workers_for(server.client, cast(Runtime, Mock()), "adx", KINDS, Places())

    kinds = [[type(one) for one in worker.config()["interceptors"]] for worker in workers]
    assert len(kinds) == len(KINDS)
    assert all(Heartbeats in interceptors for interceptors in kinds)
