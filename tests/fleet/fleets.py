"""Small fleets for tests: units, states, and somebody who answers everything at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from policies.infrastructure.roles import Roles
from policies.infrastructure.spec import FleetRules, Gate, WorkloadsReady
from workflows.fleet.answers import (
    calendar_read,
    gate_passed,
    restore_failed,
    unit_failed,
    unit_restored,
    unit_succeeded,
)
from workflows.fleet.decisions import approve
from workflows.fleet.machine import next_actions, start
from workflows.fleet.models import (
    Action,
    AskApproval,
    Calendar,
    CheckGates,
    Finish,
    FleetState,
    FleetUnit,
    ReadCalendar,
    RestoreUnits,
    StartUnits,
    WaitUntil,
)
from workflows.fleet.waves import plan_waves

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GATES = (Gate(name="all-ready", workloads_ready=WorkloadsReady()),)
Answer = Callable[[FleetState, Action], FleetState | None]


def tenants(count: int) -> list[FleetUnit]:
    """``tenant/t000`` and so on, all changed."""
    return [FleetUnit(f"tenant/t{number:03}") for number in range(count)]


def fleet(
    units: Sequence[FleetUnit],
    rules: FleetRules | None = None,
    *,
    roles: Roles | None = None,
    has_calendar: bool = False,
    calendar_fresh_seconds: int = 0,
) -> FleetState:
    """A rollout of ``units`` that has not begun."""
    rules = rules or FleetRules()
    return start(
        plan_waves(units, rules),
        rules,
        roles=roles or {},
        has_calendar=has_calendar,
        calendar_fresh_seconds=calendar_fresh_seconds,
    )


def run(state: FleetState, answer: Answer | None = None, now: datetime = NOON) -> tuple[FleetState, list[Action]]:
    """Answer everything until the end, well unless ``answer`` says otherwise (None: well). All actions in order."""
    seen: list[Action] = []
    for _ in range(10_000):
        step = next_actions(state, now)
        state = step.state
        seen += step.actions
        for action in step.actions:
            if isinstance(action, Finish):
                return state, seen
            if isinstance(action, WaitUntil):
                now = max(now, action.at)
            own = answer(state, action) if answer is not None else None
            state = own if own is not None else answered_well(state, action, now)
    raise AssertionError(f"no end in sight: {seen[-3:]}")


def answered_well(state: FleetState, action: Action, now: datetime) -> FleetState:
    """The state after the best answer."""
    if isinstance(action, StartUnits):
        for unit in action.units:
            state = unit_succeeded(state, unit)
    elif isinstance(action, RestoreUnits):
        for unit in action.units:
            state = unit_restored(state, unit)
    elif isinstance(action, CheckGates):
        state = gate_passed(state)
    elif isinstance(action, AskApproval):
        state = approve(state, action.wave, "ines", now)
    elif isinstance(action, ReadCalendar):
        state = calendar_read(state, Calendar(0, 2**40))
    return state


def failing(*units: str, is_restored: bool = True) -> Answer:
    """Deliveries of ``units`` fail, everything else goes well."""

    def answer(state: FleetState, action: Action) -> FleetState | None:
        if not isinstance(action, StartUnits):
            return None
        for unit in action.units:
            if unit in units:
                state = unit_failed(state, unit, "restored" if is_restored else "needs-operator", "no pod is ready")
            else:
                state = unit_succeeded(state, unit)
        return state

    return answer


def restoring_fails(*units: str) -> Answer:
    """Restores of ``units`` that had been delivered fail."""

    def answer(state: FleetState, action: Action) -> FleetState | None:
        if not isinstance(action, RestoreUnits):
            return None
        for unit in action.units:
            state = restore_failed(state, unit, "the cluster is away") if unit in units else unit_restored(state, unit)
        return state

    return answer
