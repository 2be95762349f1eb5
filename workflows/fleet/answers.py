"""What came of what a fleet rollout asked for. Pure.

An answer that comes twice, or too late to matter, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workflows.cells.models import UnitResult
from workflows.fleet.budget import budget_of
from workflows.fleet.models import (
    FAILED,
    NEEDS_OPERATOR,
    RESTORING,
    TAKEN_BACK,
    UNPROVEN,
    Calendar,
    FailedUnitEnd,
    FleetState,
)
from workflows.fleet.state import (
    UNDER_WAY,
    current_wave,
    ended,
    in_phase,
    mark_of,
    marked,
    place_of,
    proven,
    with_failure,
)


def cell_answered(state: FleetState, results: Iterable[UnitResult], *, is_undo: bool) -> FleetState:
    """What became of the units that were moved together; ``is_undo``: they were to be brought back."""
    for result in results:
        unit, why, is_back = result.unit, result.why, result.outcome == "restored"
        if is_undo:
            state = unit_restored(state, unit) if is_back else restore_failed(state, unit, why)
        elif result.outcome == "delivered":
            state = unit_succeeded(state, unit)
        else:
            state = unit_failed(state, unit, "restored" if is_back else "needs-operator", why)
    return state


def unit_succeeded(state: FleetState, unit: str) -> FleetState:
    """``unit`` is delivered and its own tests passed."""
    place = place_of(state, unit)
    return marked(state, [place], UNPROVEN) if state.marks[place] in UNDER_WAY else state


def unit_failed(state: FleetState, unit: str, end: FailedUnitEnd, reason: str) -> FleetState:
    """The delivery of ``unit`` failed, and it was restored by itself, or could not be."""
    place = place_of(state, unit)
    if state.marks[place] not in UNDER_WAY:
        return state
    state = marked(state, [place], FAILED if end == "restored" else NEEDS_OPERATOR)
    state = with_failure(state, unit, end, reason)
    budget = budget_of(state)
    return ended(state, "over-budget", f"{budget}; the last was {unit}: {reason}") if budget.is_exceeded else state


def unit_restored(state: FleetState, unit: str) -> FleetState:
    """``unit`` is what it was before: as asked by RestoreUnits, or because an operator saw to it."""
    ends = {RESTORING: TAKEN_BACK, NEEDS_OPERATOR: FAILED}
    mark = mark_of(state, unit)
    if state.outcome is not None or mark not in ends:
        return state
    return marked(state, [place_of(state, unit)], ends[mark])


def restore_failed(state: FleetState, unit: str, reason: str) -> FleetState:
    """``unit`` was to be restored and could not be."""
    if mark_of(state, unit) != RESTORING:
        return state
    state = marked(state, [place_of(state, unit)], NEEDS_OPERATOR)
    return with_failure(state, unit, "needs-operator", reason)


def gate_passed(state: FleetState) -> FleetState:
    """All gates that were asked for hold."""
    if state.ending or state.phase not in {"checking", "rechecking"}:
        return state
    return in_phase(state, "bake") if state.phase == "checking" else proven(state)


def gate_failed(state: FleetState, gate: str, reason: str) -> FleetState:
    """``gate`` does not hold."""
    if state.ending or state.phase not in {"checking", "rechecking"}:
        return state
    return ended(state, "gate-failed", f"the gate {gate} failed in wave {current_wave(state).name}: {reason}")


def calendar_read(state: FleetState, calendar: Calendar) -> FleetState:
    """When rollouts are held; may come unasked, when a freeze has just been merged."""
    limits = replace(state.limits, has_calendar=True)
    return replace(state, calendar=calendar, is_calendar_asked=False, limits=limits)
