"""Delivers the tenants of one rollout: does what the machine asks for, and reports what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.cells.models import CellRequest
from workflows.fleet import answers, decisions
from workflows.fleet.calls import FleetCalls
from workflows.fleet.cell_queue import CellQueue, CellTurn
from workflows.fleet.deciding import decided, reason_of
from workflows.fleet.durable import FleetDecision, FleetInput, FleetPlan, FleetResult, FleetStatus
from workflows.fleet.ending import result_of
from workflows.fleet.machine import awaited_wave, gives_way, next_actions, outstanding, overdue_wave
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
from workflows.fleet.state import marked, named, place_of
from workflows.guarded import failure_of
from workflows.rollout.models import Receipt


@workflow.defn
class FleetWorkflow:
    """Waves of tenants, each unit for itself; what is under way is never abandoned."""

    @workflow.init
    def __init__(self, request: FleetInput) -> None:
        self._request = request
        self._calls = FleetCalls(request)
        self._plan: FleetPlan | None = request.plan
        self._state: FleetState | None = request.plan.state if request.plan else None
        self._turns = dict(request.turns)
        self._queue = CellQueue()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._checking: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._unreadable = ""
        self._finish: Finish | None = None
        self._cancelled_by = ""
        self._superseded_by = request.superseded_by
        self._defect: BaseException | None = None
        self._wake_at: datetime | None = None
        self._why_waiting = ""
        self._has_news = True
        self._started_at = request.started_at or workflow.now().isoformat()

    @workflow.run
    async def run(self, request: FleetInput) -> FleetResult:  # noqa: ARG002 - taken by __init__
        """Deliver; the result says what became of every unit."""
        if self._plan is None:
            self._plan = await self._calls.plan()
            self._state = self._plan.state
            if self._cancelled_by:
                self.cancel(self._cancelled_by)
        else:
            self._do(outstanding(self._known()))
        while self._finish is None:
            await self._expire()
            self._step()
            if self._finish is None:
                await self._rest()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result_of(self._known(), self._finish)

    @workflow.query
    def status(self) -> FleetStatus:
        """The fleet as it stands."""
        awaited = awaited_wave(self._state) if self._state is not None else ""
        why = f"approval of wave {awaited}" if awaited else self._unreadable or self._why_waiting
        return FleetStatus(self._state, sorted(self._busy), why, self._started_at)

    @workflow.update
    async def decide(self, decision: FleetDecision) -> Receipt:
        """Pause, resume, approve, reject, skip, retry, override or cancel; the machine judges whether it fits."""
        await self._calls.record(decision.what, decision.by, reason_of(decision))
        try:
            self._state = decided(self._known(), decision, workflow.now())
        except ApplicationError as refusal:
            # Something else happened while the word was being recorded: the audit trail must not say it was followed.
            if workflow.patched("fleet-records-refusals"):
                why = f"{reason_of(decision)}: {refusal.message}".removeprefix(": ")
                await self._calls.record_if_possible(f"{decision.what}-refused", decision.by, why)
            raise
        self._withdraw()  # at once: while a run is handing over, no step follows
        if decision.what == "retry":
            self._turns[decision.about] = self._turns.get(decision.about, 0) + 1
        self._has_news = True
        environment = self._request.lease.environment
        return Receipt(environment, "", f"{decision.what}{' ' + decision.about if decision.about else ''}: done")

    @decide.validator
    def _check_decision(self, decision: FleetDecision) -> None:
        if self._state is None:
            raise ApplicationError("the waves are not planned yet", type="Refused")
        decided(self._state, decision, workflow.now())

    @workflow.signal
    def cancel(self, by: str) -> None:
        """Start nothing more; what is under way ends as it ends."""
        if self._state is None:
            self._cancelled_by = by  # the waves are still being planned: none of them begins
        elif self._state.outcome is None and not self._state.ending:
            self._state = decisions.cancel(self._state, by, workflow.now())
            self._has_news = True

    @workflow.signal
    def supersede(self, by: str = "a newer commit") -> None:
        """Make way for ``by`` if nothing has begun, or as soon as this waits: for a person, or for the calendar."""
        self._superseded_by, self._has_news = by, True

    def _known(self) -> FleetState:
        assert self._state is not None  # noqa: S101 - set by the first step, before anything that asks
        return self._state

    def _step(self) -> None:
        """Ask the machine, do what it says, and let as many cells work as may."""
        self._has_news, self._wake_at, self._why_waiting = False, None, ""
        self._make_way()
        self._withdraw()
        step = next_actions(self._known(), workflow.now())
        self._state = step.state
        self._do(step.actions)
        self._dispatch()
        self._make_way()  # it may wait from now on

    def _make_way(self) -> None:
        state, now = self._known(), workflow.now()
        if not self._superseded_by or state.ending or state.outcome is not None:
            return
        if gives_way(state, now) or self._unreadable:
            self._state = decisions.supersede(state, self._superseded_by, now)
            self._has_news = True

    async def _rest(self) -> None:
        """Until something is news, or time is up; a new run takes over when this one's history is long."""
        if self._is_run_long():
            # What waits for a calendar that cannot be read may wait for long; the next run asks for it again.
            await workflow.wait_condition(lambda: not (self._busy or self._checking) or self._defect is not None)
            await workflow.wait_condition(workflow.all_handlers_finished)
            self._check_whole()
            self._continue()
        timeout = max(self._wake_at - workflow.now(), timedelta(0)) if self._wake_at is not None else None
        try:
            await workflow.wait_condition(lambda: self._has_news, timeout=timeout)
        except TimeoutError:
            self._has_news = True
        self._check_whole()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let ``work`` go on beside what else is done. What it did not expect is a defect, and is never lost."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_defect)
        return task

    def _note_defect(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._defect, self._has_news = error, True

    def _check_whole(self) -> None:
        """Fail the workflow task, which is seen, and tried again by a worker that knows better."""
        if self._defect is not None:
            raise RuntimeError(f"a defect of ADX: {self._defect!r}") from self._defect

    def _is_run_long(self) -> bool:
        info = workflow.info()
        is_long = info.get_current_history_length() >= self._request.events_per_run
        return is_long or info.is_continue_as_new_suggested()

    def _continue(self) -> None:
        plan = self._plan
        assert plan is not None  # noqa: S101 - planned before the first rest
        queue_is_outstanding = replace(plan, state=self._known())
        workflow.continue_as_new(
            replace(
                self._request,
                plan=queue_is_outstanding,
                turns=self._turns,
                started_at=self._started_at,
                superseded_by=self._superseded_by,
            )
        )

    def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, StartUnits | RestoreUnits):
                self._enqueue(action.units, is_undo=isinstance(action, RestoreUnits))
            elif isinstance(action, CheckGates):
                task = self._begin(self._check_gates(action))
                self._checking.add(task)
                task.add_done_callback(self._checking.discard)
            elif isinstance(action, ReadCalendar):
                self._reading = self._begin(self._read_calendar())
            elif isinstance(action, WaitUntil):
                self._wake_at, self._why_waiting = action.at, action.why
            elif isinstance(action, Finish):
                self._finish = action
            # An approval is asked for by the status.

    def _enqueue(self, units: tuple[str, ...], *, is_undo: bool) -> None:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        for unit in units:
            self._queue.put(self._plan.stacks[unit], unit, is_undo=is_undo)

    def _withdraw(self) -> None:
        """Take back what waits for its cell, when the rollout is paused or ends: a bad change must not spread."""
        state = self._known()
        if not (state.is_paused or state.ending):
            return
        self._state = marked(state, [place_of(state, unit) for unit in self._queue.withdrawn()], PENDING)

    def _dispatch(self) -> None:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        for turn in self._queue.next_turns(self._busy, self._plan.cells_at_once):
            self._busy[turn.stack] = self._begin(self._deliver(turn))

    async def _deliver(self, turn: CellTurn) -> None:
        request = self._cell_request(turn)
        try:
            results = (await self._calls.cell(request)).results
        except ActivityError as error:
            results = await self._calls.given_up(request, failure_of("cell", error))
        finally:
            self._busy.pop(turn.stack, None)
            self._has_news = True
        self._state = answers.cell_answered(self._known(), results, is_undo=turn.is_undo)

    def _cell_request(self, turn: CellTurn) -> CellRequest:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        renewed = named(self._known(), UNPROVEN + DELIVERED + RESTORING)
        return CellRequest(
            lease=self._request.lease,
            stack=turn.stack,
            base_state=self._request.base_state,
            desired_state=self._request.desired_state,
            units=turn.units,
            settled=[unit for unit in renewed if self._plan.stacks[unit] == turn.stack and unit not in turn.units],
            is_undo=turn.is_undo,
            turn=sum(self._turns.get(unit, 0) for unit in turn.units),
        )

    async def _check_gates(self, action: CheckGates) -> None:
        answer = await self._calls.gates(action)
        state = self._known()
        has_failed = bool(answer.failed)
        self._state = (
            answers.gate_failed(state, answer.failed, answer.why) if has_failed else answers.gate_passed(state)
        )
        self._has_news = True

    async def _read_calendar(self) -> None:
        """Nothing is started before it is known whether it may be."""
        calendar = await self._calls.calendar(self._cannot_read)
        self._unreadable = ""
        self._state = answers.calendar_read(self._known(), calendar)
        self._has_news = True

    def _cannot_read(self, why: str) -> None:
        self._unreadable, self._has_news = why, True
        workflow.logger.warning(why)

    async def _expire(self) -> None:
        """End the rollout when nobody has approved its next wave in time; the ledger is told who did not."""
        wave = overdue_wave(self._known(), workflow.now())
        if not wave:
            return
        self._state = decisions.approval_expired(self._known(), wave, workflow.now())
        why = f"{wave}: {self._state.ending_reason}"
        await self._calls.record_if_possible("expire", decisions.NOBODY, why)
