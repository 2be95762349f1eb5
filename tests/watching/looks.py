"""Looks at a rollout of tenants, as its workflow would give them, at fixed times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.watching.changes import Look
from pipelines.watching.pace import PaceMeter
from pipelines.watching.view import FleetView, view_of
from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import GATES, fleet, tenants
from workflows.fleet.answers import gate_passed, unit_failed, unit_succeeded
from workflows.fleet.durable import FleetStatus
from workflows.fleet.machine import next_actions
from workflows.fleet.models import STARTED, FleetState
from workflows.fleet.state import named

START = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
RULES = FleetRules(
    canaries=("t007", "t011"),
    steps=(5, "50%", "100%"),
    bake_seconds=60,
    gates=GATES,
    approval_before=(2,),
    approvers=("ines.keller", "role:release-manager"),
    failure_budget="10%",
    max_parallel=8,
)
UNITS = 40
QUOTA = "the quota is exceeded: pods, requested 7, limited to 5"


def at(seconds: float) -> datetime:
    """So long after the start."""
    return START + timedelta(seconds=seconds)


def planned(rules: FleetRules = RULES, units: int = UNITS) -> FleetState:
    """Before anything has begun."""
    return fleet(tenants(units), rules)


def step(state: FleetState, seconds: float) -> FleetState:
    """What the machine makes of it at that time."""
    return next_actions(state, at(seconds)).state


def end_started(state: FleetState, *, failing: Iterable[str] = ()) -> FleetState:
    """All that is under way is delivered, or fails and is restored."""
    for unit in named(state, STARTED):
        state = unit_failed(state, unit, "restored", QUOTA) if unit in failing else unit_succeeded(state, unit)
    return state


def baking(rules: FleetRules = RULES) -> FleetState:
    """The canaries are delivered and prove themselves: from second 10 to 70."""
    state = step(end_started(step(planned(rules), 0)), 10)
    return step(gate_passed(state), 10)


def proven(state: FleetState, seconds: float) -> FleetState:
    """The current wave's bake is over then, and its gates hold."""
    return step(gate_passed(step(state, seconds)), seconds)


def second_wave() -> FleetState:
    """The canaries are proven, the next three are under way since second 70."""
    return proven(baking(), 70)


def waiting(failing: Iterable[str] = ()) -> FleetState:
    """Five are proven; the second step waits for its approval since second 140."""
    state = step(end_started(second_wave(), failing=failing), 80)
    return proven(step(gate_passed(state), 80), 140)


def status(state: FleetState | None, *busy: str) -> FleetStatus:
    """What a query gives."""
    return FleetStatus(state, [f"production.{name}" for name in busy], "", START.isoformat())


def metered(*looks: tuple[float, FleetState]) -> PaceMeter:
    """A meter that has seen all of them."""
    meter = PaceMeter()
    for seconds, state in looks:
        meter.look(state, at(seconds))
    return meter


def view(state: FleetState, seconds: float, *busy: str, meter: PaceMeter | None = None) -> FleetView:
    """The view of a state at that time."""
    found = view_of(status(state, *busy), meter or PaceMeter(), at(seconds))
    assert found is not None
    return found


def look(state: FleetState, seconds: float = 0) -> Look:
    """One look at it."""
    return Look(state, view(state, seconds))


def with_marks(state: FleetState, marks: str) -> FleetState:
    """The state with these first letters, and the rest as it was."""
    return replace(state, marks=marks + state.marks[len(marks) :])
