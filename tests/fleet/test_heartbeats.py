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
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.fleet.doubles import real_server
from workflows.heartbeats import Heartbeats
from workflows.runtime import Runtime
from workflows.step_runner import Report
from workflows.task_queues import KINDS, Places
from workflows.worker import workers_for
from workflows.worker_places import PulumiPlaces

LIMIT = timedelta(seconds=3)  # longer than a busy machine may keep an event loop, or the server, from its turn
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
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_leave: asyncio.Event = field(default_factory=asyncio.Event)

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

    @activity.defn
    async def reported(self) -> str:
        """Reports, as steps do, and again when others had a turn."""
        report = Report()
        report("fetching")
        await asyncio.sleep(0)
        report("comparing")
        await self.may_end.wait()
        return "done"

    @activity.defn(name="deliver_cell")
    async def placed(self) -> str:
        """Needs the only place, and says nothing; the first to get it ends as soon as the second waits."""
        if not self.has_begun.is_set():
            self.has_begun.set()
            await self.may_leave.wait()
        else:
            await self.may_end.wait()
        return "done"


@asynccontextmanager
async def served(slow: Slow) -> AsyncIterator[Client]:
    """A server of its own, and a worker for them."""
    async with (
        await real_server() as server,
        Worker(
            server.client,
            task_queue="patient",
            workflows=[Patient],
            activities=[slow.silent, slow.spoken, slow.reported, slow.placed],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[Heartbeats(INTERVAL_SECONDS), PulumiPlaces(1)],
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
            default_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield server.client


@asynccontextmanager
async def asked(slow: Slow, name: str) -> AsyncIterator[WorkflowHandle[Patient, str]]:
    """A workflow that waits for one of them."""
    async with served(slow) as client:
        yield await started(client, name)


async def started(client: Client, name: str) -> WorkflowHandle[Patient, str]:
    """One workflow more."""
    return await client.start_workflow(Patient.run, name, id=str(uuid.uuid4()), task_queue="patient")


async def last_sign(handle: WorkflowHandle[Patient, str]) -> tuple[datetime, str]:
    """When the server last heard of the activity, and what; the workflow must not have ended."""
    while True:
        described = await handle.describe()
        assert described.status is WorkflowExecutionStatus.RUNNING, "the activity was taken for dead"
        for pending in cast("list[PendingActivityInfo]", described.raw_description.pending_activities):
            if pending.HasField("last_heartbeat_time"):
                said = pending.heartbeat_details.payloads
                return pending.last_heartbeat_time.ToDatetime(), str(said[0].data) if said else ""
        await asyncio.sleep(INTERVAL_SECONDS)


async def heard_for(handle: WorkflowHandle[Patient, str], span: timedelta) -> str:
    """Until the server has heard of the activity for so long; what it heard last."""
    first, _ = await last_sign(handle)
    while True:
        at, said = await last_sign(handle)
        if at - first > span:
            return said
        await asyncio.sleep(INTERVAL_SECONDS)


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


async def test_the_last_line_of_a_report_is_what_is_seen_of_the_activity() -> None:
    """A step needs no loop of its own to be heard of."""
    slow = Slow()
    async with asked(slow, "reported") as handle:
        said = await heard_for(handle, 2 * LIMIT)
        slow.may_end.set()
        assert await handle.result() == "done"

    assert "comparing" in said


async def test_what_has_waited_for_a_place_is_not_seen_waiting_once_it_has_one() -> None:
    """Although it may not say anything for a while."""
    slow = Slow()
    async with served(slow) as client:
        first = await started(client, "deliver_cell")
        await slow.has_begun.wait()
        second = await started(client, "deliver_cell")
        while "waits" not in (await last_sign(second))[1]:
            await asyncio.sleep(INTERVAL_SECONDS)
        slow.may_leave.set()
        await first.result()
        said = await heard_for(second, LIMIT)
        slow.may_end.set()
        assert await second.result() == "done"

    assert "waits" not in said


def test_a_report_outside_of_an_activity_is_only_kept() -> None:
    """So that what reports can be called by anybody."""
    report = Report()
    report("fetching")

    assert report.message == "fetching"


async def test_every_worker_says_of_its_activities_that_they_live() -> None:
    """Of whatever kind."""
    async with await real_server() as server:
        workers = workers_for(server.client, cast(Runtime, Mock()), "adx", KINDS, Places())

    kinds = [[type(one) for one in worker.config()["interceptors"]] for worker in workers]
    assert len(kinds) == len(KINDS)
    assert all(Heartbeats in interceptors for interceptors in kinds)
