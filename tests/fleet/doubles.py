"""Activities of a fleet that record what they were asked and fail or wait as told. For workflow tests only."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from policies.infrastructure.spec import FleetRules
from scripts.stack.parts.temporal import FAIR_TURNS
from tests.fleet.fleets import fleet, tenants
from tests.support.binaries import beside_python
from tests.support.temporal_servers import STARTED_WITHIN, skipping_server
from workflows.cells.models import CellLease, CellRequest, CellResult, UnitOutcome, UnitResult
from workflows.fleet.durable import (
    CalendarRequest,
    FleetDecision,
    FleetInput,
    FleetPlan,
    FleetPlanRequest,
    FleetResult,
    FleetStatus,
    FreezeRequest,
    GatesAnswer,
    GatesRequest,
)
from workflows.fleet.models import Calendar
from workflows.fleet.state import seconds
from workflows.fleet.workflow import FleetWorkflow
from workflows.heartbeats import Heartbeats
from workflows.rollout.activity_models import DecisionRecord
from workflows.rollout.models import Receipt
from workflows.sandbox import sandboxed_runner
from workflows.task_queues import KINDS, Kind, kind_of, queue_of
from workflows.worker_places import PulumiPlaces

UNITS, CELLS = 20, 4
QUERY_TIMEOUT = timedelta(seconds=5)
LEASE = CellLease("production", "adx-rollout-production-8d1e77aa8d1e-0a1b2c", 7)


def cell(number: int) -> str:
    """The stack of one cell, from 0."""
    return f"production-cell-{number}"


def plan_of(
    rules: FleetRules,
    *,
    cells_at_once: int = 3,
    has_calendar: bool = False,
    calendar_fresh_seconds: int = 0,
    units: int = UNITS,
    cells: int = CELLS,
) -> FleetPlan:
    """Tenants, spread evenly: ``tenant/t000`` lives in the first cell, ``tenant/t001`` in the second."""
    all_units = tenants(units)
    stacks = {unit.id: cell(number % cells) for number, unit in enumerate(all_units)}
    state = fleet(all_units, rules, has_calendar=has_calendar, calendar_fresh_seconds=calendar_fresh_seconds)
    return FleetPlan(state, stacks, cells_at_once)


@dataclass
class FleetDoubles:
    """One double of every activity. All goes well unless told otherwise."""

    plan: FleetPlan
    asked: list[CellRequest] = field(default_factory=list)
    gates: list[GatesRequest] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    outcomes: dict[str, UnitOutcome] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    frozen: list[FreezeRequest] = field(default_factory=list)
    unwritable: str = ""
    stranger: str = ""
    calendar: Calendar = field(default_factory=lambda: Calendar(0, 2**40))
    calendar_reads: int = 0
    unreadable: str = ""
    most_at_once: int = 0
    was_shared: bool = False
    _busy: list[str] = field(default_factory=list)
    _held: asyncio.Event | None = None
    _plan_held: asyncio.Event | None = None
    _record_held: asyncio.Event | None = None

    def hold(self) -> asyncio.Event:
        """Let every delivery wait until the returned event is set."""
        self._held = asyncio.Event()
        return self._held

    def hold_plan(self) -> asyncio.Event:
        """Let the planning wait until the returned event is set."""
        self._plan_held = asyncio.Event()
        return self._plan_held

    def hold_record(self) -> asyncio.Event:
        """Let the record of every decision wait until the returned event is set."""
        self._record_held = asyncio.Event()
        return self._record_held

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
            units = [*request.units, self.stranger] if self.stranger else request.units
            return CellResult(request.stack, [self._result(unit, request) for unit in units])
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
        """The calendar of the test, known from when it is asked for."""
        self.calendar_reads += 1
        if self.unreadable:
            raise ApplicationError(self.unreadable, type="AdxValidationError", non_retryable=True)
        return replace(self.calendar, known_from=seconds(datetime.fromisoformat(request.at)))

    @activity.defn
    async def freeze_units(self, request: FreezeRequest) -> None:
        """Recorded, unless told otherwise by the type of an error."""
        self.frozen.append(request)
        if self.unwritable:
            raise ApplicationError("the ledger says no", type=self.unwritable, non_retryable=True)

    @activity.defn
    async def record_decision(self, record: DecisionRecord) -> None:
        """Recorded."""
        if self._record_held is not None:
            await _beating(self._record_held)
        self.decisions.append(f"{record.action} by {record.decision.by}: {record.decision.reason}")

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        return [
            self.plan_fleet,
            self.deliver_cell,
            self.check_gates,
            self.read_calendar,
            self.record_decision,
            self.freeze_units,
        ]


@dataclass
class Fleet:
    """A fleet under way on a server of its own."""

    handle: WorkflowHandle[FleetWorkflow, FleetResult]
    doubles: FleetDoubles
    client: Client

    async def status(self) -> FleetStatus:
        """What anybody sees."""
        return await self.until(lambda _: True)

    async def until(self, is_reached: Callable[[FleetStatus], bool]) -> FleetStatus:
        """Ask until the fleet is as wanted; the test's own timeout bounds this."""
        while True:
            # The test server forgets a query that comes while a run hands over to the next.
            try:
                status = await self.handle.query(FleetWorkflow.status, rpc_timeout=QUERY_TIMEOUT)
            except RPCError as error:
                if error.status not in {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}:
                    raise
            else:
                if is_reached(status):
                    return status
            await asyncio.sleep(0.02)

    async def say(self, what: str, about: str = "", *, by: str = "ines", reason: str = "because") -> Receipt:
        """A person's word."""
        return await self.handle.execute_update(FleetWorkflow.decide, FleetDecision(by, what, about, reason))


def waits_for_approval(status: FleetStatus, wave: str = "") -> bool:
    """Whether this wave, or any, waits for somebody."""
    return (
        status.waiting_for == f"approval of wave {wave}" if wave else status.waiting_for.startswith("approval of wave")
    )


second_waits = partial(waits_for_approval, wave="2")


@contextlib.asynccontextmanager
async def fleet_server(
    doubles: FleetDoubles, *, at_once: int = 100, places: int = 100, is_real: bool = False
) -> AsyncIterator[WorkflowEnvironment]:
    """A server with a worker of each kind for fleets; their task queue is ``fleets``. It skips time unless real."""
    async with (
        await (real_server() if is_real else skipping_server()) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        for kind in KINDS:
            await stack.enter_async_context(worker(server.client, doubles, kind, at_once=at_once, places=places))
        yield server


def real_server() -> Coroutine[Any, Any, WorkflowEnvironment]:
    """The server of the local stack, set up as there, without any data."""
    return WorkflowEnvironment.start_local(
        dev_server_existing_path=beside_python("temporal"),
        dev_server_extra_args=list(FAIR_TURNS),
        dev_server_log_level="never",
        dev_server_startup_timeout=STARTED_WITHIN,
    )


def worker(client: Client, doubles: FleetDoubles, kind: Kind, *, at_once: int = 100, places: int = 100) -> Worker:
    """One that does the work of a kind and nothing else, so much ``at_once``; Pulumi has so many ``places``."""
    return Worker(
        client,
        task_queue=queue_of("fleets", kind),
        workflows=[FleetWorkflow] if kind == "workflows" else [],
        activities=[one for one in doubles.all() if kind_of(one.__name__) == kind],
        workflow_runner=sandboxed_runner(),
        interceptors=[Heartbeats(), PulumiPlaces(places)],
        max_concurrent_activities=at_once,
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )


async def started(
    server: WorkflowEnvironment,
    doubles: FleetDoubles,
    *,
    plan: FleetPlan | None = None,
    environment: str = LEASE.environment,
    events_per_run: int = FleetInput.events_per_run,
) -> Fleet:
    """Begin; with ``plan`` as a run that takes over from another."""
    lease = replace(LEASE, environment=environment)
    request = FleetInput(lease, "base-state", "desired-state", "delivery", plan=plan, events_per_run=events_per_run)
    name = f"{uuid.uuid4()}-fleet"
    handle = await server.client.start_workflow(FleetWorkflow.run, request, id=name, task_queue="fleets")
    return Fleet(handle, doubles, server.client)


async def _beating(event: asyncio.Event) -> None:
    """Wait as real steps do: with heartbeats, so that nobody takes the worker for dead."""
    while not event.is_set():
        activity.heartbeat()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), 0.05)
