"""Delivers the tenants of one rollout: does what the machine asks for, and reports what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from policies.errors import AdxError
from workflows.cells.activities import CellActivities
from workflows.cells.models import CellRequest, CellResult
from workflows.fleet import answers, decisions
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import (
    CalendarRequest,
    FleetDecision,
    FleetInput,
    FleetPlan,
    FleetPlanRequest,
    FleetResult,
    FleetStatus,
    GatesRequest,
)
from workflows.fleet.machine import awaited_wave, next_actions, outstanding
from workflows.fleet.models import (
    DELIVERED,
    PENDING,
    RESTORING,
    UNPROVEN,
    Action,
    CheckGates,
    Finish,
    FleetState,
    ReadCalendar,
    RestoreUnits,
    StartUnits,
    WaitUntil,
)
from workflows.fleet.state import marked, named, place_of, unit_ends
from workflows.guarded import failure_of
from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.models import Decision, DecisionRecord, Receipt

PATIENCE = 10
PAUSE_AFTER_FAILED_CELL_SECONDS = 20
REASONS_KEPT = 20


@workflow.defn
class FleetWorkflow:
    """Waves of tenants, each unit for itself; what is under way is never abandoned."""

    @workflow.init
    def __init__(self, request: FleetInput) -> None:
        self._request = request
        self._call = ActivityCall(request.timeouts)
        self._plan: FleetPlan | None = request.plan
        self._state: FleetState | None = request.plan.state if request.plan else None
        self._turns = dict(request.turns)
        self._queue: dict[tuple[str, bool], list[str]] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._finish: Finish | None = None
        self._cancelled_by = ""
        self._wake_at: datetime | None = None
        self._why_waiting = ""
        self._has_news = True
        self._started_at = workflow.now()

    @workflow.run
    async def run(self, request: FleetInput) -> FleetResult:
        """Deliver; the result says what became of every unit."""
        if self._plan is None:
            plan_request = FleetPlanRequest(
                self._environment, self._rollout_id, request.base_state, request.desired_state, request.delivery
            )
            self._plan = await self._call.read(FleetActivities.plan_fleet, plan_request)
            self._state = self._plan.state
            if self._cancelled_by:
                self.cancel(self._cancelled_by)
        else:
            self._do(outstanding(self._known()))
        while self._finish is None:
            self._step()
            if self._finish is None:
                await self._rest()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._result(self._finish)

    @workflow.query
    def status(self) -> FleetStatus:
        """The fleet as it stands."""
        awaited = awaited_wave(self._state) if self._state is not None else ""
        why = f"approval of wave {awaited}" if awaited else self._why_waiting
        return FleetStatus(self._state, sorted(self._busy), why, self._started_at.isoformat())

    @workflow.update
    async def decide(self, decision: FleetDecision) -> Receipt:
        """Pause, resume, approve, reject, skip, retry, override or cancel; the machine judges whether it fits."""
        record = DecisionRecord(
            self._environment, f"fleet.{decision.what}", Decision(decision.by, self._rollout_id, _reason(decision))
        )
        await self._call.read(RolloutActivities.record_decision, record)
        self._state = _decided(self._known(), decision, workflow.now())
        if decision.what == "retry":
            self._turns[decision.about] = self._turns.get(decision.about, 0) + 1
        self._has_news = True
        return Receipt(self._environment, "", f"{decision.what}{' ' + decision.about if decision.about else ''}: done")

    @decide.validator
    def _check_decision(self, decision: FleetDecision) -> None:
        if self._state is None:
            raise ApplicationError("the waves are not planned yet", type="Refused")
        _decided(self._state, decision, workflow.now())

    @workflow.signal
    def cancel(self, by: str) -> None:
        """Start nothing more; what is under way ends as it ends."""
        if self._state is None:
            self._cancelled_by = by  # the waves are still being planned: none of them begins
        elif self._state.outcome is None and not self._state.ending:
            self._state = decisions.cancel(self._state, by, workflow.now())
            self._has_news = True

    @property
    def _environment(self) -> str:
        return self._request.lease.environment

    @property
    def _rollout_id(self) -> str:
        return self._request.lease.rollout_id

    def _known(self) -> FleetState:
        assert self._state is not None  # noqa: S101 - set by the first step, before anything that asks
        return self._state

    def _step(self) -> None:
        """Ask the machine, do what it says, and let as many cells work as may."""
        self._has_news, self._wake_at, self._why_waiting = False, None, ""
        self._withdraw()
        step = next_actions(self._known(), workflow.now())
        self._state = step.state
        self._do(step.actions)
        self._dispatch()

    async def _rest(self) -> None:
        """Until something is news, or time is up; a new run takes over when this one's history is long."""
        if workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: not self._busy and not self._others)
            await workflow.wait_condition(workflow.all_handlers_finished)
            self._continue()
        timeout = max(self._wake_at - workflow.now(), timedelta(0)) if self._wake_at is not None else None
        try:
            await workflow.wait_condition(lambda: self._has_news, timeout=timeout)
        except TimeoutError:
            self._has_news = True

    def _continue(self) -> None:
        plan = self._plan
        assert plan is not None  # noqa: S101 - planned before the first rest
        queue_is_outstanding = FleetPlan(self._known(), plan.stacks, plan.cells_at_once)
        request = self._request
        workflow.continue_as_new(
            FleetInput(
                lease=request.lease,
                base_state=request.base_state,
                desired_state=request.desired_state,
                delivery=request.delivery,
                plan=queue_is_outstanding,
                turns=self._turns,
                timeouts=request.timeouts,
            )
        )

    def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, StartUnits | RestoreUnits):
                self._enqueue(action.units, is_undo=isinstance(action, RestoreUnits))
            elif isinstance(action, CheckGates):
                self._spawn(self._check_gates(action))
            elif isinstance(action, ReadCalendar):
                self._spawn(self._read_calendar())
            elif isinstance(action, WaitUntil):
                self._wake_at, self._why_waiting = action.at, action.why
            elif isinstance(action, Finish):
                self._finish = action
            # An approval is asked for by the status. Cancelled units are left to end: that takes seconds.

    def _enqueue(self, units: tuple[str, ...], *, is_undo: bool) -> None:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        for unit in units:
            self._queue.setdefault((self._plan.stacks[unit], is_undo), []).append(unit)

    def _withdraw(self) -> None:
        """Take back what waits for its cell, when the rollout is paused or ends: a bad change must not spread."""
        state = self._known()
        if not (state.is_paused or state.ending):
            return
        waiting = [key for key in self._queue if not key[1]]
        places = [place_of(state, unit) for key in waiting for unit in self._queue.pop(key)]
        self._state = marked(state, places, PENDING)

    def _dispatch(self) -> None:
        """One delivery per cell at a time, and so many cells side by side."""
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        for stack, is_undo in list(self._queue):
            if len(self._busy) >= self._plan.cells_at_once:
                return
            if stack not in self._busy:
                units = self._queue.pop((stack, is_undo))
                self._busy[stack] = asyncio.create_task(self._deliver(stack, units, is_undo=is_undo))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    async def _deliver(self, stack: str, units: list[str], *, is_undo: bool) -> None:
        try:
            result = await self._cell(self._cell_request(stack, units, is_undo=is_undo))
        except ActivityError as error:
            reason = failure_of("cell", error).message
            self._take_in(dict.fromkeys(units, ("needs-operator", reason)), is_undo=is_undo)
        else:
            self._take_in({one.unit: (one.outcome, one.why) for one in result.results}, is_undo=is_undo)
        finally:
            self._busy.pop(stack, None)
            self._has_news = True

    async def _cell(self, request: CellRequest) -> CellResult:
        """Try for long: a cell whose workers keep dying is finished by one that lives."""
        for _ in range(PATIENCE - 1):
            try:
                return await self._call.apply(CellActivities.deliver_cell, request)
            except ActivityError as error:
                workflow.logger.warning("cell %s: %s", request.stack, failure_of("cell", error).message)
                await asyncio.sleep(PAUSE_AFTER_FAILED_CELL_SECONDS)
        return await self._call.apply(CellActivities.deliver_cell, request)

    def _cell_request(self, stack: str, units: list[str], *, is_undo: bool) -> CellRequest:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        renewed = named(self._known(), UNPROVEN + DELIVERED + RESTORING)
        settled = [unit for unit in renewed if self._plan.stacks[unit] == stack and unit not in units]
        return CellRequest(
            lease=self._request.lease,
            stack=stack,
            base_state=self._request.base_state,
            desired_state=self._request.desired_state,
            units=units,
            settled=settled,
            is_undo=is_undo,
            turn=sum(self._turns.get(unit, 0) for unit in units),
        )

    def _take_in(self, results: dict[str, tuple[str, str]], *, is_undo: bool) -> None:
        state = self._known()
        for unit, (outcome, why) in results.items():
            if is_undo:
                is_back = outcome == "restored"
                state = answers.unit_restored(state, unit) if is_back else answers.restore_failed(state, unit, why)
            elif outcome == "delivered":
                state = answers.unit_succeeded(state, unit)
            else:
                end = "restored" if outcome == "restored" else "needs-operator"
                state = answers.unit_failed(state, unit, end, why)  # type: ignore[arg-type] # one of two literals
        self._state = state

    async def _check_gates(self, action: CheckGates) -> None:
        request = GatesRequest(
            environment=self._environment,
            rollout_id=self._rollout_id,
            commit="",
            desired_state=self._request.desired_state,
            delivery=self._request.delivery,
            wave=action.wave,
            is_after_bake=action.is_after_bake,
        )
        try:
            answer = await self._call.apply(FleetActivities.check_gates, request)
            failed, why = answer.failed, answer.why
        except ActivityError as error:
            failed, why = "check", failure_of("gates", error).message
        state = self._known()
        self._state = answers.gate_failed(state, failed, why) if failed else answers.gate_passed(state)
        self._has_news = True

    async def _read_calendar(self) -> None:
        request = CalendarRequest(self._environment, self._request.delivery, workflow.now().isoformat())
        while True:
            try:
                calendar = await self._call.read(FleetActivities.read_calendar, request)
                break
            except ActivityError as error:
                workflow.logger.warning("the calendar cannot be read: %s", failure_of("calendar", error).message)
                await asyncio.sleep(PAUSE_AFTER_FAILED_CELL_SECONDS)
        self._state = answers.calendar_read(self._known(), calendar)
        self._has_news = True

    def _result(self, finish: Finish) -> FleetResult:
        state = self._known()
        delivered = sorted(unit for unit, end in unit_ends(state).items() if end == "delivered")
        reasons = [f"{failure.unit}: {failure.reason}" for failure in state.failures[:REASONS_KEPT]]
        return FleetResult(finish.outcome, finish.summary, delivered, reasons)


def _reason(decision: FleetDecision) -> str:
    return ": ".join(part for part in (decision.about, decision.reason) if part)


def _decided(state: FleetState, decision: FleetDecision, now: datetime) -> FleetState:
    """The state after the decision. Raises ApplicationError when it does not fit."""
    by, about, reason = decision.by, decision.about, decision.reason
    try:
        match decision.what:
            case "pause":
                return decisions.pause(state, by, now, reason=reason)
            case "resume":
                return decisions.resume(state, by, now, reason=reason)
            case "approve":
                return decisions.approve(state, about, by, now, reason=reason)
            case "reject":
                return decisions.reject(state, about, by, now, reason=reason)
            case "skip":
                return decisions.skip(state, about, by, now, reason=reason)
            case "retry":
                return decisions.retry(state, about, by, now, reason=reason)
            case "override":
                return decisions.override_hold(state, by, now, reason=reason)
            case "cancel":
                return decisions.cancel(state, by, now, reason=reason)
    except AdxError as error:
        raise ApplicationError(f"{error}; {error.next_step}".strip("; "), type="Refused") from error
    raise ApplicationError(f"nobody can {decision.what} a rollout", type="Refused")
