"""Migrates many databases in waves: does what the fleet's machine asks for, in batches by server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.fleet import answers, decisions
from workflows.fleet.ending import result_of
from workflows.fleet.machine import next_actions, outstanding
from workflows.fleet.models import PENDING, Action, Finish, FleetState, RestoreUnits, StartUnits
from workflows.fleet.state import marked, place_of
from workflows.guarded import failure_of
from workflows.invoke import ActivityCall
from workflows.migrations.batches import BatchActivities
from workflows.migrations.fan_out import as_units, batches
from workflows.migrations.models import (
    BatchRequest,
    FanOutInput,
    FanOutPlan,
    FanOutPlanRequest,
    FanOutResult,
    FanOutStatus,
    MigrationLease,
    PrepareRequest,
    TargetResult,
)
from workflows.migrations.planning_waves import FanOutActivities
from workflows.migrations.preparing import PrepareActivities

REASONS_SHOWN = 20


@workflow.defn
class MigrationFanOutWorkflow:
    """Waves of databases, each guarded for itself; what is under way is never abandoned."""

    @workflow.init
    def __init__(self, request: FanOutInput) -> None:
        self._request = request
        self._call = ActivityCall(request.timeouts.for_migrations())
        self._lease = request.lease or MigrationLease(request.environment, workflow.info().workflow_id)
        self._targets = request.targets
        self._plan: FanOutPlan | None = request.plan
        self._state: FleetState | None = request.plan.state if request.plan else None
        self._queues: dict[bool, list[str]] = {False: [], True: []}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._kept = list(request.kept)
        self._finish: Finish | None = None
        self._cancelled_by = ""
        self._has_news = True
        self._status = FanOutStatus(self._lease.operation_id, request.environment)

    @workflow.run
    async def run(self, request: FanOutInput) -> FanOutResult:  # noqa: ARG002 - taken by __init__
        """Migrate; the result says what became of the databases, and why of those that failed."""
        try:
            await self._prepare()
        except ActivityError as error:
            return self._ended(FanOutResult("refused", failure_of("plan", error).message))
        while self._finish is None:
            self._step()
            if self._finish is None:
                await self._rest()
        result = result_of(self._known(), self._finish)
        reasons = shown([*result.reasons, *self._kept])
        kept = f", {len(self._kept)} kept their version" if self._kept else ""
        return self._ended(FanOutResult(result.outcome, result.summary.text + kept, result.summary.reason, reasons))

    @workflow.query
    def status(self) -> FanOutStatus:
        """The databases as they stand."""
        self._status.state = self._state
        return self._status

    @workflow.signal
    def cancel(self, by: str) -> None:
        """Start nothing more; what is under way is cancelled on its server and taken back."""
        self._cancelled_by, self._has_news = by, True

    async def _prepare(self) -> None:
        if self._plan is not None:
            self._do(outstanding(self._known()))
            return
        if self._request.wanted is not None:
            asked = PrepareRequest(self._lease.operation_id, self._request.wanted)
            self._targets = (await self._call.read(PrepareActivities.prepare_operation, asked)).targets
        request = FanOutPlanRequest(self._lease, self._targets, self._request.delivery, self._request.is_needed)
        self._plan = await self._call.read(FanOutActivities.plan_fan_out, request)
        self._state = self._plan.state

    def _known(self) -> FleetState:
        assert self._state is not None  # noqa: S101 - set before anything that asks
        return self._state

    def _step(self) -> None:
        """Ask the machine, do what it says, and hand over what may be."""
        self._has_news = False
        state = self._known()
        if self._cancelled_by and state.outcome is None and not state.ending:
            self._state = decisions.cancel(state, self._cancelled_by, workflow.now())
            for task in self._busy.values():
                task.cancel()
        self._withdraw()
        step = next_actions(self._known(), workflow.now())
        self._state = step.state
        self._do(step.actions)
        self._dispatch()

    async def _rest(self) -> None:
        info = workflow.info()
        is_long = info.get_current_history_length() >= self._request.events_per_run
        if is_long or info.is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: not self._busy)
            self._continue()
        await workflow.wait_condition(lambda: self._has_news)

    def _continue(self) -> None:
        assert self._plan is not None  # noqa: S101 - planned before the first rest
        request = self._request
        workflow.continue_as_new(
            FanOutInput(
                environment=request.environment,
                lease=self._lease,
                targets=self._targets,
                delivery=request.delivery,
                is_needed=request.is_needed,
                wanted=request.wanted,
                plan=FanOutPlan(self._known(), self._plan.servers),
                kept=self._kept,
                timeouts=request.timeouts,
                events_per_run=request.events_per_run,
            )
        )

    def _do(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, StartUnits | RestoreUnits):
                self._queues[isinstance(action, RestoreUnits)] += action.units
            elif isinstance(action, Finish):
                self._finish = action

    def _withdraw(self) -> None:
        """Take back what waits for its server when the operation ends: a bad script must not spread."""
        state = self._known()
        if state.ending and self._queues[False]:
            self._state = marked(state, [place_of(state, one) for one in self._queues[False]], PENDING)
            self._queues[False] = []

    def _dispatch(self) -> None:
        assert self._plan is not None  # noqa: S101 - nothing is started before the plan
        for is_undo in (True, False):
            for server, chosen in batches(self._queues[is_undo], self._plan.servers, self._busy).items():
                taken = set(chosen)
                self._queues[is_undo] = [one for one in self._queues[is_undo] if one not in taken]
                self._busy[server] = asyncio.create_task(self._migrate(server, chosen, is_undo=is_undo))

    async def _migrate(self, server: str, chosen: list[str], *, is_undo: bool) -> None:
        wanted = self._request.wanted
        request = BatchRequest(
            self._lease,
            self._targets,
            server,
            chosen,
            is_undo=is_undo,
            accepts_loss=wanted is not None and wanted.accepts_loss,
            accepted_by=wanted.requested_by if wanted is not None else "",
        )
        try:
            results = await self._asked(request)
        except asyncio.CancelledError:
            results = [TargetResult(one, "restored", 0, "cancelled before it began") for one in chosen]
        except ActivityError as error:
            # A stale claim, or a server that nobody could ask: each database says in the ledger how far it is.
            why = failure_of("databases", error).message
            results = [TargetResult(one, "needs-operator", 0, why) for one in chosen]
        finally:
            self._busy.pop(server, None)
            self._has_news = True
        self._kept += [f"{one.target}: {one.why}" for one in results if one.outcome == "kept"]
        self._state = answers.cell_answered(self._known(), as_units(results), is_undo=is_undo)

    async def _asked(self, request: BatchRequest) -> list[TargetResult]:
        try:
            return (await self._call.apply(BatchActivities.migrate_batch, request)).results
        except ActivityError as error:
            if not (is_cancelled_exception(error) and workflow.patched("look-again-when-cancelled")):
                raise
        # Cancelled while it waited, perhaps for another attempt: what an earlier one had begun, the ledger knows.
        return (await self._call.apply(BatchActivities.migrate_batch, replace(request, is_undo=True))).results

    def _ended(self, result: FanOutResult) -> FanOutResult:
        self._status.outcome, self._status.text = result.outcome, result.text
        self._status.reason, self._status.reasons = result.reason, result.reasons
        return result


def shown(reasons: Sequence[str]) -> list[str]:
    """The first reasons, and how many more there are. Pure."""
    more = len(reasons) - REASONS_SHOWN
    return [*reasons[:REASONS_SHOWN], *([f"and {more} more: see `adx migrate status`"] if more > 0 else [])]
