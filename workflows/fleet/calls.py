"""Whatever a fleet asks of activities, each with the patience that it deserves. Runs inside the workflow.

Only ``cell``, ``plan`` and ``record`` raise ActivityError; the others say in
their answer that nobody could tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain, repeat

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.cells.activities import CellActivities
from workflows.cells.models import CellRequest, CellResult, UnitResult
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import (
    CalendarRequest,
    FleetInput,
    FleetPlan,
    FleetPlanRequest,
    FreezeRequest,
    GatesAnswer,
    GatesRequest,
)
from workflows.fleet.models import Calendar, CheckGates
from workflows.guarded import Failure, failure_of
from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import DecisionRecord
from workflows.rollout.models import Decision

PATIENCE = 10
PAUSE_AFTER_FAILED_CELL_SECONDS = 20
PAUSES_WHILE_UNREADABLE_SECONDS = (20, 60, 300)
PAUSES_WHILE_UNWRITABLE_SECONDS = (20, 60, *repeat(300, 10))


class FleetCalls:
    """The activities of one fleet."""

    def __init__(self, request: FleetInput) -> None:
        self._request = request
        self._environment, self._rollout_id = request.lease.environment, request.lease.rollout_id
        self._call = ActivityCall(request.timeouts, self._environment)

    async def plan(self) -> FleetPlan:
        """The waves."""
        request = self._request
        asked = FleetPlanRequest(
            self._environment, self._rollout_id, request.base_state, request.desired_state, request.delivery
        )
        return await self._call.read(FleetActivities.plan_fleet, asked)

    async def cell(self, request: CellRequest) -> CellResult:
        """Try for long: a cell whose workers keep dying is finished by one that lives."""
        for _ in range(PATIENCE - 1):
            try:
                return await self._call.apply(CellActivities.deliver_cell, request)
            except ActivityError as error:
                workflow.logger.warning("cell %s: %s", request.stack, failure_of("cell", error).message)
                await asyncio.sleep(PAUSE_AFTER_FAILED_CELL_SECONDS)
        return await self._call.apply(CellActivities.deliver_cell, request)

    async def given_up(self, cell: CellRequest, failure: Failure) -> list[UnitResult]:
        """What is said of the units of a cell that nobody could finish; the ledger is told, too, if at all possible."""
        reason = failure.message
        if workflow.patched("fleet-freezes-units") and not await self._frozen(FreezeRequest(cell, reason)):
            reason = f"{reason}; the ledger does not know"
        return [UnitResult(unit, "needs-operator", reason) for unit in cell.units]

    async def _frozen(self, request: FreezeRequest) -> bool:
        for pause_seconds in (*PAUSES_WHILE_UNWRITABLE_SECONDS, 0):
            try:
                await self._call.read(FleetActivities.freeze_units, request)
            except ActivityError as error:
                failure = failure_of("freeze", error)
                workflow.logger.warning("cannot freeze units of %s: %s", request.cell.stack, failure.message)
                if failure.error_type == "StaleFencingToken":
                    return False  # a newer rollout has taken over, and says what becomes of them
                await asyncio.sleep(pause_seconds)
            else:
                return True
        return False

    async def gates(self, action: CheckGates) -> GatesAnswer:
        """Whether they hold; where nobody can tell, they do not."""
        request = GatesRequest(
            environment=self._environment,
            rollout_id=self._rollout_id,
            desired_state=self._request.desired_state,
            delivery=self._request.delivery,
            wave=action.wave,
            is_after_bake=action.is_after_bake,
        )
        try:
            return await self._call.apply(FleetActivities.check_gates, request)
        except ActivityError as error:
            return GatesAnswer("check", failure_of("gates", error).message)

    async def calendar(self, tell: Callable[[str], None]) -> Calendar:
        """The calendar, however long it takes; ``tell`` is told each time why it cannot be read."""
        for pause_seconds in chain(PAUSES_WHILE_UNREADABLE_SECONDS, repeat(PAUSES_WHILE_UNREADABLE_SECONDS[-1])):
            request = CalendarRequest(self._environment, self._request.delivery, workflow.now().isoformat())
            try:
                return await self._call.read(FleetActivities.read_calendar, request)
            except ActivityError as error:
                tell(f"the calendar cannot be read: {failure_of('calendar', error).message}")
                await asyncio.sleep(pause_seconds)
        raise AssertionError("unreachable")

    async def record(self, what: str, by: str, reason: str) -> None:
        """Let the audit trail have a word."""
        said = Decision(by, self._rollout_id, reason)
        await self._call.read(
            RolloutActivities.record_decision, DecisionRecord(self._environment, f"fleet.{what}", said)
        )

    async def record_if_possible(self, what: str, by: str, reason: str) -> None:
        """As ``record``, for what has happened whether it is written down or not."""
        try:
            await self.record(what, by, reason)
        except ActivityError as error:
            workflow.logger.warning("fleet.%s is not recorded: %s", what, failure_of(what, error).message)
