"""Activities of a fleet that record what they were asked and fail or wait as told. For workflow tests only."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import fleet, tenants
from tests.support.binaries import beside_python
from workflows.cells.models import CellLease, CellRequest, CellResult, UnitOutcome, UnitResult
from workflows.fleet.durable import (
    CalendarRequest,
    FleetDecision,
    FleetInput,
    FleetPlan,
    FleetPlanRequest,
    FleetResult,
    FleetStatus,
    GatesAnswer,
    GatesRequest,
)
from workflows.fleet.models import Calendar
from workflows.fleet.workflow import FleetWorkflow
from workflows.rollout.models import DecisionRecord, Receipt
from workflows.sandbox import sandboxed_runner

UNITS, CELLS = 20, 4
LEASE = CellLease("production", "adx-rollout-production-8d1e77aa8d1e-0a1b2c", 7)


def cell(number: int) -> str:
    """The stack of one cell, from 0."""
    return f"production-cell-{number}"


def plan_of(rules: FleetRules, *, cells_at_once: int = 3, has_calendar: bool = False) -> FleetPlan:
    """``UNITS`` tenants, spread evenly: ``tenant/t000`` lives in the first cell, ``tenant/t001`` in the second."""
    units = tenants(UNITS)
    stacks = {unit.id: cell(number % CELLS) for number, unit in enumerate(units)}
    return FleetPlan(fleet(units, rules, has_calendar=has_calendar), stacks, cells_at_once)


@dataclass
class FleetDoubles:
    """One double of every activity. All goes well unless told otherwise."""

    plan: FleetPlan
    asked: list[CellRequest] = field(default_factory=list)
    gates: list[GatesRequest] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    outcomes: dict[str, UnitOutcome] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    calendar: Calendar = field(default_factory=lambda: Calendar(0, 2**40))
    most_at_once: int = 0
    was_shared: bool = False
    _busy: list[str] = field(default_factory=list)
    _held: asyncio.Event | None = None
    _plan_held: asyncio.Event | None = None

    def hold(self) -> asyncio.Event:
        """Let every delivery wait until the returned event is set."""
        self._held = asyncio.Event()
        return self._held

    def hold_plan(self) -> asyncio.Event:
        """Let the planning wait until the returned event is set."""
        self._plan_held = asyncio.Event()
        return self._plan_held

    def delivered(self) -> list[str]:
        """Every unit whose delivery was asked for, in order, as often as it was."""
        return [unit for request in self.asked if not request.is_undo for unit in request.units]

    def undone(self) -> list[str]:
        """Every unit that was to be brought back after it had been delivered, by name."""
        return sorted(unit for request in self.asked if request.is_undo for unit in request.units)

    @activity.defn
    async def plan_fleet(self, request: FleetPlanRequest) -> FleetPlan:
        """The plan of the test."""
        if self._plan_held is not None:
            await _beating(self._plan_held)
        return self.plan

    @activity.defn
    async def deliver_cell(self, request: CellRequest) -> CellResult:
        """As told for each unit."""
        self.asked.append(request)
        self.was_shared = self.was_shared or request.stack in self._busy
        self._busy.append(request.stack)
        self.most_at_once = max(self.most_at_once, len(self._busy))
        try:
            if self._held is not None:
                await _beating(self._held)
            if request.stack in self.broken:
                raise ApplicationError("no worker can reach the cluster", type="ToolMissing", non_retryable=True)
            return CellResult(request.stack, [self._result(unit, request) for unit in request.units])
        finally:
            self._busy.remove(request.stack)

    def _result(self, unit: str, request: CellRequest) -> UnitResult:
        outcome = self.outcomes.get(unit, "restored" if request.is_undo else "delivered")
        return UnitResult(unit, outcome, "" if outcome == "delivered" else "the quota is exceeded")

    @activity.defn
    async def check_gates(self, request: GatesRequest) -> GatesAnswer:
        """They hold."""
        self.gates.append(request)
        return GatesAnswer()

    @activity.defn
    async def read_calendar(self, request: CalendarRequest) -> Calendar:
        """The calendar of the test."""
        return self.calendar

    @activity.defn
    async def record_decision(self, record: DecisionRecord) -> None:
        """Recorded."""
        self.decisions.append(f"{record.action} by {record.decision.by}: {record.decision.reason}")

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        return [self.plan_fleet, self.deliver_cell, self.check_gates, self.read_calendar, self.record_decision]


@dataclass
class Fleet:
    """A fleet under way on a server of its own."""

    handle: WorkflowHandle[FleetWorkflow, FleetResult]
    doubles: FleetDoubles
    client: Client

    async def status(self) -> FleetStatus:
        """What anybody sees."""
        return await self.handle.query(FleetWorkflow.status)

    async def until(self, is_reached: Callable[[FleetStatus], bool]) -> FleetStatus:
        """Ask until the fleet is as wanted; the test's own timeout bounds this."""
        while not is_reached(status := await self.status()):
            await asyncio.sleep(0.02)
        return status

    async def say(self, what: str, about: str = "", *, by: str = "ines", reason: str = "because") -> Receipt:
        """A person's word."""
        return await self.handle.execute_update(FleetWorkflow.decide, FleetDecision(by, what, about, reason))


@contextlib.asynccontextmanager
async def fleet_server(doubles: FleetDoubles) -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server with a worker for fleets; its task queue is ``fleets``."""
    program = beside_python("temporal-test-server")
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program) as server,
        Worker(
            server.client,
            task_queue="fleets",
            workflows=[FleetWorkflow],
            activities=doubles.all(),
            workflow_runner=sandboxed_runner(),
            max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        ),
    ):
        yield server


async def started(
    server: WorkflowEnvironment, doubles: FleetDoubles, *, plan: FleetPlan | None = None, rollout_id: str = ""
) -> Fleet:
    """Begin; with ``plan`` as a run that takes over from another."""
    request = FleetInput(LEASE, "base-state", "desired-state", "delivery", plan=plan)
    name = f"{rollout_id or uuid.uuid4()}-fleet"
    handle = await server.client.start_workflow(FleetWorkflow.run, request, id=name, task_queue="fleets")
    return Fleet(handle, doubles, server.client)


async def _beating(event: asyncio.Event) -> None:
    """Wait as real steps do: with heartbeats, so that nobody takes the worker for dead."""
    while not event.is_set():
        activity.heartbeat()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), 0.05)
