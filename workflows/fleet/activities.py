"""What a fleet rollout cannot know by itself: its waves, whether gates hold, when it may work, what it leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from temporalio import activity

from policies.change_set import diff
from policies.desired_state import DesiredState, ServiceInputs, Unit
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Gate, WorkloadsReady
from policies.placement import stack_of
from policies.services.releases import workload_name
from workflows.bodies import DeliveryBody
from workflows.cells.plan import mixed
from workflows.errors import AdxValidationError
from workflows.fleet.asking import why_gate_not
from workflows.fleet.calendar import read_calendar
from workflows.fleet.durable import (
    CalendarRequest,
    FleetPlan,
    FleetPlanRequest,
    FreezeRequest,
    GatesAnswer,
    GatesRequest,
    SettleRequest,
)
from workflows.fleet.machine import start
from workflows.fleet.models import Calendar, FleetUnit, Wave
from workflows.fleet.newest import newest_rules
from workflows.fleet.waves import plan_waves
from workflows.infrastructure.models import StackLease
from workflows.ledger import cells, fencing, units
from workflows.ledger.units import UnitState, version_of
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey
from workflows.task_queues import CELLS_AT_ONCE, cells_at_once_from

POLL_INTERVAL_SECONDS = 0.5
CALENDAR_FRESH_SECONDS = 300


class FleetActivities:
    """Activities of the fleet's workflow."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def claim_environment(self, lease: StackLease) -> int:
        """The token under which the cells of the rollout are claimed; fences out what its earlier steps still do."""
        return await fencing.renew(self._runtime.ledger, lease.environment, lease.rollout_id, "tenants")

    @activity.defn
    async def plan_fleet(self, request: FleetPlanRequest) -> FleetPlan:
        """The waves of all tenants that differ, in the order of their cells within a wave."""
        base = await self._runtime.bodies.get(request.base_state, DesiredState, request.environment)
        desired = await self._runtime.bodies.get(request.desired_state, DesiredState, request.environment)
        rules = (await self._delivery(request.delivery, request.environment)).environment
        return fleet_plan(base, desired, rules, cells_at_once=cells_at_once_from(self._runtime.environ))

    @activity.defn
    async def check_gates(self, request: GatesRequest) -> GatesAnswer:
        """Check the gates in order; the first that does not hold is named."""

        async def work(report: Report) -> GatesAnswer:
            rules = (await self._delivery(request.delivery, request.environment)).environment
            desired = await self._runtime.bodies.get(request.desired_state, DesiredState, request.environment)
            for gate in _fleet_rules(rules).gates:
                report(f"gate {gate.name}")
                why = await self._why_not(gate, desired)
                if why:
                    return GatesAnswer(gate.name, why)
            return GatesAnswer()

        return await self._runtime.steps.run(gates_key(request, activity.info()), GatesAnswer, work)

    @activity.defn
    async def read_calendar(self, request: CalendarRequest) -> Calendar:
        """The freezes and windows from ``at`` on, as the branch declares them now: one may just have been merged."""
        rules = await newest_rules(self._runtime, request.environment)
        if rules is None:
            rules = (await self._delivery(request.delivery, request.environment)).environment
        return read_calendar(datetime.fromisoformat(request.at), rules.freezes, rules.windows)

    @activity.defn
    async def freeze_units(self, request: FreezeRequest) -> None:
        """Let the ledger say of the units of a cell that an operator must look at them. Raises StaleFencingToken.

        The cell is claimed for that, so that an attempt at it which comes back late can write nothing.
        """
        cell, lease, info = request.cell, request.cell.lease, activity.info()
        base = None
        if cell.base_state is not None:
            base = await self._runtime.bodies.get(cell.base_state, DesiredState, lease.environment)
        desired = await self._runtime.bodies.get(cell.desired_state, DesiredState, lease.environment)
        claim = await cells.claim(
            self._runtime.ledger,
            lease.environment,
            cell.stack,
            rollout_id=lease.rollout_id,
            holder=f"{info.workflow_id}.{info.workflow_run_id}.{info.activity_id}",
            environment_token=lease.environment_token,
        )
        await units.record(
            self._runtime.ledger,
            lease.environment,
            lease.rollout_id,
            frozen_states(base, desired, cell.units, request.reason),
            fencing_token=lease.environment_token,
            claim=claim,
        )

    @activity.defn
    async def settle(self, request: SettleRequest) -> str:
        """Keep what the environment holds now; its digest."""
        base = await self._runtime.bodies.get(request.base_state, DesiredState, request.environment)
        desired = await self._runtime.bodies.get(request.desired_state, DesiredState, request.environment)
        return await self._runtime.bodies.put(mixed(base, desired, request.delivered), request.environment)

    async def _delivery(self, digest: str, environment: str) -> DeliveryBody:
        return await self._runtime.bodies.get(digest, DeliveryBody, environment)

    async def _why_not(self, gate: Gate, desired: DesiredState) -> str:
        try:
            if gate.workloads_ready is not None:
                return await self._why_not_ready(gate.workloads_ready, desired)
        except AdxValidationError as error:
            return str(error)
        return await why_gate_not(gate, self._runtime.environ)

    async def _why_not_ready(self, check: WorkloadsReady, desired: DesiredState) -> str:
        """Wait for the workloads of all services: tenants bring load, not workloads of their own."""
        deadline = time.monotonic() + check.timeout_seconds
        waiting = [unit.inputs for unit in desired.units if isinstance(unit.inputs, ServiceInputs)]
        while waiting:
            inputs = waiting[0]
            status = await self._runtime.cluster.rollout_status(inputs.namespace, workload_name(inputs))
            if status.is_ready:
                waiting.pop(0)
            elif status.failure is not None or time.monotonic() >= deadline:
                why = status.failure or f"not ready after {check.timeout_seconds} s"
                return f"{inputs.service.name} has {status.available} of {status.desired} replicas: {why}"
            else:
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return ""


def fleet_plan(
    base: DesiredState, desired: DesiredState, rules: EnvironmentSpec, *, cells_at_once: int = CELLS_AT_ONCE
) -> FleetPlan:
    """The machine's first state, and where each unit lives. Pure; raises WavesImpossible."""
    changed = [FleetUnit(change.unit, change.action) for change in diff(base, desired).changes]
    stacks = {unit.id: stack_of(unit.id, desired.environment, desired.cells) for unit in changed}
    fleet = _fleet_rules(rules)
    waves = tuple(_by_cell(wave, stacks) for wave in plan_waves(changed, fleet))
    state = start(waves, fleet, roles=rules.roles, has_calendar=True, calendar_fresh_seconds=CALENDAR_FRESH_SECONDS)
    return FleetPlan(state, stacks, fleet.max_cells_at_once or cells_at_once)


def gates_key(request: GatesRequest, info: activity.Info) -> StepKey:
    """Which check it is: the same for each attempt at it, another for each time that the gates are asked."""
    when = "after the bake" if request.is_after_bake else "before the bake"
    # The ids of activities start again in each run of the workflow.
    content = f"{request.wave}@{when}@{info.workflow_run_id}.{info.activity_id}"
    return StepKey(request.rollout_id, request.environment, "gates", content, unit=f"wave {request.wave}")


def frozen_states(base: DesiredState | None, desired: DesiredState, ids: Sequence[str], reason: str) -> list[UnitState]:
    """What the ledger says of units of which nobody knows whether they are as in ``base`` or as ``desired``. Pure."""
    before, after = (base.by_id() if base is not None else {}), desired.by_id()
    return [_frozen(id_, before.get(id_), after.get(id_), desired.commit, reason) for id_ in ids]


def _frozen(id_: str, before: Unit | None, after: Unit | None, commit: str, reason: str) -> UnitState:
    known = before or after
    return UnitState(
        unit=id_,
        status="frozen",
        digest=before.digest if before is not None else None,
        commit=known.commit if known is not None else commit,
        reason=reason,
        version=version_of(before),
    )


def _fleet_rules(rules: EnvironmentSpec) -> FleetRules:
    return rules.rollout.fleet or FleetRules()


def _by_cell(wave: Wave, stacks: dict[str, str]) -> Wave:
    """Neighbours in one cell start together, so that they are applied together; which cell is first is not by name."""
    place = {unit: number for number, unit in reversed(list(enumerate(wave.units)))}
    first: dict[str, int] = {}
    for unit in wave.units:
        first.setdefault(stacks[unit], place[unit])
    ordered = sorted(wave.units, key=lambda unit: (first[stacks[unit]], place[unit]))
    return replace(wave, units=tuple(ordered))
