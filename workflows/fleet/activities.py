"""What a fleet rollout cannot know by itself: its waves, whether gates hold, when it may work, what it leaves."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime

from temporalio import activity

from policies.change_set import diff
from policies.desired_state import DesiredState, ServiceInputs
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Gate, PrometheusCheck, WorkloadsReady
from policies.placement import stack_of
from workflows.bodies import DeliveryBody
from workflows.cells.plan import mixed
from workflows.clients import prometheus
from workflows.errors import AdxValidationError, PostDeploymentTestFailed
from workflows.fleet.calendar import read_calendar
from workflows.fleet.durable import (
    CalendarRequest,
    FleetPlan,
    FleetPlanRequest,
    GatesAnswer,
    GatesRequest,
    SettleRequest,
)
from workflows.fleet.gates import why_not
from workflows.fleet.machine import start
from workflows.fleet.models import Calendar, FleetUnit, Wave
from workflows.fleet.waves import plan_waves
from workflows.infrastructure.models import StackLease
from workflows.ledger import fencing
from workflows.rollout import post_deployment
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey

POLL_INTERVAL_SECONDS = 0.5
CELLS_AT_ONCE = 3


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
        return fleet_plan(base, desired, rules)

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

        when = "after the bake" if request.is_after_bake else "before the bake"
        attempt = f"{request.wave}@{when}@{activity.info().activity_id}"
        key = StepKey(request.rollout_id, request.environment, "gates", attempt, unit=f"wave {request.wave}")
        return await self._runtime.steps.run(key, GatesAnswer, work)

    @activity.defn
    async def read_calendar(self, request: CalendarRequest) -> Calendar:
        """The freezes and windows from ``at`` on."""
        rules = (await self._delivery(request.delivery, request.environment)).environment
        return read_calendar(datetime.fromisoformat(request.at), rules.freezes, rules.windows)

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
            if gate.http_check is not None:
                await post_deployment.http_check(gate.name, gate.http_check)
            elif gate.prometheus is not None:
                return why_not(
                    gate.prometheus, await prometheus.query(self._address(gate.prometheus), gate.prometheus.query)
                )
        except (PostDeploymentTestFailed, AdxValidationError) as error:
            return str(error)
        return ""

    def _address(self, check: PrometheusCheck) -> str:
        address = check.url or self._runtime.environ.get("ADX_PROMETHEUS_URL", "")
        if not address:
            raise AdxValidationError(
                "no Prometheus is named: set url in the gate, or ADX_PROMETHEUS_URL for the workers"
            )
        return address

    async def _why_not_ready(self, check: WorkloadsReady, desired: DesiredState) -> str:
        """Wait for the workloads of all services: tenants bring load, not workloads of their own."""
        deadline = time.monotonic() + check.timeout_seconds
        waiting = [unit.inputs for unit in desired.units if isinstance(unit.inputs, ServiceInputs)]
        while waiting:
            inputs = waiting[0]
            status = await self._runtime.cluster.rollout_status(inputs.namespace, inputs.service.name)
            if status.is_ready:
                waiting.pop(0)
            elif status.failure is not None or time.monotonic() >= deadline:
                why = status.failure or f"not ready after {check.timeout_seconds} s"
                return f"{inputs.service.name} has {status.available} of {status.desired} replicas: {why}"
            else:
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return ""


def fleet_plan(base: DesiredState, desired: DesiredState, rules: EnvironmentSpec) -> FleetPlan:
    """The machine's first state, and where each unit lives. Pure; raises WavesImpossible."""
    units = [FleetUnit(change.unit, change.action) for change in diff(base, desired).changes]
    stacks = {unit.id: stack_of(unit.id, desired.environment, desired.cells) for unit in units}
    fleet = _fleet_rules(rules)
    waves = tuple(_by_cell(wave, stacks) for wave in plan_waves(units, fleet, dependencies={}))
    state = start(waves, fleet, dependencies={}, has_calendar=bool(rules.freezes or rules.windows))
    return FleetPlan(state, stacks, CELLS_AT_ONCE)


def is_fleet(rules: EnvironmentSpec) -> bool:
    """Whether tenants are delivered in waves and each for itself."""
    return rules.rollout.fleet is not None or rules.rollout.cells > 0


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
