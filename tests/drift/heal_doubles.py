"""A worker for the workflows of drift with doubled activities, on the time-skipping test server."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.rollout.doubles import Doubles
from tests.support.temporal_servers import skipping_server
from workflows.drift.heal_workflow import HealWorkflow
from workflows.drift.models import (
    DriftFound,
    DriftRequest,
    HealApply,
    HealDone,
    HealEnd,
    HealPlanned,
    HealRequest,
    HealSnapshot,
    HealSnapshotRequest,
)
from workflows.drift.workflow import DriftWorkflow
from workflows.infrastructure.models import StackLease
from workflows.rollout.activity_models import Choice, ChooseRequest
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import Receipt, Submission
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner

COMMIT = "8d1e77aa" * 5
UNITS = ["service/frontend", "tenant/acme"]
HEAL = Submission("development", COMMIT, "adx", "drift", kind="heal", units=UNITS)


@dataclass
class DriftDoubles(Doubles):
    """Doubles of a rollout's activities and of those of drift."""

    found: DriftFound = field(default_factory=lambda: DriftFound("development", "as-delivered", "as delivered"))
    planned_units: list[str] = field(default_factory=lambda: list(UNITS))
    failed: dict[str, str] = field(default_factory=dict)
    undo_failures: int = 0
    submitted: list[Submission] = field(default_factory=list)
    ends: list[HealEnd] = field(default_factory=list)

    @activity.defn
    async def choose(self, request: ChooseRequest) -> Choice:
        """A heal only where nothing else is asked for."""
        others = [one for one in request.submissions if one.kind != "heal"]
        return Choice((others or request.submissions)[-1])

    @activity.defn
    async def check_drift(self, request: DriftRequest) -> DriftFound:
        """What the test says."""
        await self._step(f"check:{request.environment}")
        return self.found

    @activity.defn
    async def submit_heal(self, submission: Submission) -> Receipt:
        """Taken down."""
        self.submitted.append(submission)
        return Receipt(submission.environment, submission.commit, "queued")

    @activity.defn
    async def plan_heal(self, request: HealRequest) -> HealPlanned:
        """The units that the test names."""
        await self._step("plan_heal")
        services = [unit.partition("/")[2] for unit in self.planned_units if unit.startswith("service/")]
        return HealPlanned(request.submission.commit, "state", "delivery", self.planned_units, services, "drift healed")

    @activity.defn
    async def snapshot_heal(self, request: HealSnapshotRequest) -> HealSnapshot:
        """A lease with token 1."""
        await self._step("snapshot_heal")
        return HealSnapshot(StackLease(request.environment, request.rollout_id, 1), "snapshot", 2)

    @activity.defn
    async def apply_heal(self, request: HealApply) -> HealDone:
        """Put back, apart from what the test lets fail."""
        await self._step(f"apply_heal:{','.join(request.units)}")
        await self._step("apply_heal")
        return HealDone(2 - len(self.failed), failed=self.failed)

    @activity.defn
    async def undo_heal(self, request: HealApply) -> HealDone:
        """Undone, after as many failures as the test wants."""
        await self._step("undo_heal" if request.is_undo else "undo_heal of no undo")
        if self.undo_failures:
            self.undo_failures -= 1
            raise ApplicationError("differs still", type="RestoreNotVerified", non_retryable=True)
        return HealDone(2)

    @activity.defn
    async def finish_heal(self, request: HealEnd) -> None:
        """Taken down."""
        await self._step("finish_heal")
        self.ends.append(request)

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        drift = [self.check_drift, self.submit_heal, self.plan_heal, self.snapshot_heal]
        return [*super().all(), *drift, self.apply_heal, self.undo_heal, self.finish_heal]


@dataclass
class DriftServer:
    """A client, a queue that a worker serves, and the doubles behind it."""

    client: Client
    task_queue: str
    doubles: DriftDoubles

    async def until(self, is_reached: Callable[[DriftDoubles], bool]) -> None:
        """Wait for the doubles; the test's own timeout bounds this."""
        while not is_reached(self.doubles):
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def drift_server(doubles: DriftDoubles) -> AsyncIterator[DriftServer]:
    """A server of its own, so that nobody sees another's workflows or skipped time."""
    queue = f"test-{uuid.uuid4()}"
    beats = timedelta(milliseconds=50)
    async with await skipping_server() as server:
        kinds = [DriftWorkflow, HealWorkflow, EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow]
        async with (
            Worker(
                server.client,
                task_queue=queue,
                workflows=kinds,
                activities=doubles.all(),
                workflow_runner=sandboxed_runner(),
                max_heartbeat_throttle_interval=beats,
            ),
            Worker(server.client, task_queue=f"{queue}-checks", activities=doubles.all()),
            Worker(server.client, task_queue=f"{queue}-cells", activities=doubles.all()),
        ):
            yield DriftServer(server.client, queue, doubles)
