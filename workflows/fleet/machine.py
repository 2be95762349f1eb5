"""What a fleet rollout does next. Pure: the workflow around it does it, and reports what came of it.

::

    state = start(waves, rules)
    loop:
        step = next_actions(state, now)          # each action is given once; WaitUntil whenever time is waited for
        do step.actions
        state = answers.unit_succeeded(step.state, …)    # or decisions.pause(…), or whatever happened

A wave goes through *deliver → check gates → bake → check gates again → next*.
What is under way is never abandoned: the rollout finishes when all of it has
answered (:mod:`workflows.fleet.answers`). What people may say is in
:mod:`workflows.fleet.decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from policies.infrastructure.roles import Roles, people
from policies.infrastructure.spec import FleetRules
from workflows.fleet.budget import allowed_failures
from workflows.fleet.ending import wind_up
from workflows.fleet.models import (
    CORE_REMOVALS,
    PENDING,
    RESTORING,
    SKIPPED,
    STARTED,
    UNPROVEN,
    Action,
    AskApproval,
    CheckGates,
    Closed,
    FleetLimits,
    FleetState,
    Next,
    Phase,
    ReadCalendar,
    RestoreUnits,
    Stage,
    StartUnits,
    WaitUntil,
    Wave,
)
from workflows.fleet.state import (
    HELD,
    UNDER_WAY,
    at_second,
    closed_at,
    count,
    current_wave,
    in_phase,
    is_calendar_known,
    marked,
    named,
    proven,
    reach,
    ready_places,
    room_left,
    seconds,
)

LOOK_AGAIN_SECONDS = 3600


def start(
    waves: Sequence[Wave],
    rules: FleetRules,
    *,
    roles: Roles = MappingProxyType({}),
    has_calendar: bool = False,
    calendar_fresh_seconds: int = 0,
) -> FleetState:
    """The state of a rollout of ``waves`` (see :func:`workflows.fleet.waves.plan_waves`) before anything is done.

    ``roles``: who has each of those that may approve; they stand in the state by name.
    ``has_calendar``: freezes or windows may be declared, so the calendar must be read before a unit is started.
    ``calendar_fresh_seconds``: one may be declared at any time, so what was read so long ago no longer counts.
    """
    units = [unit for wave in waves for unit in wave.units]
    approvers = people(rules.approvers, roles)
    return FleetState(
        units=units,
        marks=PENDING * len(units),
        waves=[Stage(wave.name, len(wave.units), wave.needs_approval) for wave in waves],
        limits=FleetLimits(
            max_parallel=rules.max_parallel,
            bake_seconds=rules.bake_seconds,
            allowed_failures=allowed_failures(rules.failure_budget, len(units)),
            beyond_budget=rules.beyond_budget,
            has_gates=bool(rules.gates),
            has_calendar=has_calendar,
            approvers=list(approvers),
            approval_within_seconds=rules.approval_within_seconds,
            calendar_fresh_seconds=calendar_fresh_seconds,
            roles={name: role for name, role in approvers.items() if role},
        ),
    )


def next_actions(state: FleetState, now: datetime) -> Next:
    """What is to be done at ``now`` (aware), and the state that remembers having asked for it.

    No action means: somebody else is next, with an answer or a word.
    """
    if state.outcome is not None:
        return Next(state, ())
    if state.ending:
        return wind_up(state)
    at = seconds(now)
    if state.phase in {"check", "bake", "recheck", "next"} and (count(state, UNDER_WAY) or ready_places(state, 1)):
        state = in_phase(state, "deliver")  # somebody had a unit retried: it is proven with the rest
    while True:
        step = _PHASES[state.phase](state, at)
        if step.actions or step.state == state:
            return step
        state = step.state
        if state.ending:
            return wind_up(state)


def outstanding(state: FleetState) -> tuple[Action, ...]:
    """What was asked for and not answered yet, for a workflow that takes over a state from another."""
    started, restoring = named(state, UNDER_WAY), named(state, RESTORING)
    actions: list[Action] = [StartUnits(started)] if started else []
    if restoring:
        actions.append(RestoreUnits(restoring, state.ending_reason))
    if state.ending or state.outcome is not None:
        return tuple(actions)
    if state.phase in {"checking", "rechecking"}:
        actions.append(_gates(state, is_after_bake=state.phase == "rechecking"))
    if awaited_wave(state):
        actions.append(AskApproval(state.asked, tuple(state.limits.approvers)))
    if state.is_calendar_asked:
        actions.append(ReadCalendar())
    return tuple(actions)


def awaited_wave(state: FleetState) -> str:
    """The wave that waits for an approval; empty when none does."""
    is_over = state.ending or state.outcome is not None or state.opened == len(state.waves)
    if is_over or state.waves[state.opened].name != state.asked or state.asked in state.approved:
        return ""
    return state.asked


def gives_way(state: FleetState, now: datetime) -> bool:
    """Whether a newer rollout may take the place of this one at ``now``: it has begun nothing, or waits.

    What waits for a person or for the calendar may do so for long; what works is proving something, and so goes on.
    """
    if state.ending or state.outcome is not None:
        return False
    is_untouched = count(state, PENDING + SKIPPED) == len(state.units)
    return is_untouched or state.is_paused or bool(awaited_wave(state)) or _is_held(state, seconds(now))


def _is_held(state: FleetState, now: int) -> bool:
    """Whether the calendar keeps a unit from starting that could."""
    closed = closed_at(state, now) if state.phase == "deliver" and ready_places(state, 1) else None
    return closed is not None and closed.ends_at > state.overridden_until


def overdue_wave(state: FleetState, now: datetime) -> str:
    """The wave whose approval is no longer waited for (see ``decisions.approval_expired``); empty when none is."""
    deadline = _approval_ends_at(state)
    return awaited_wave(state) if deadline and seconds(now) >= deadline else ""


def _approval_ends_at(state: FleetState) -> int:
    """When the approval that was asked for expires; 0: never."""
    limit_seconds = state.limits.approval_within_seconds
    return state.asked_at + limit_seconds if limit_seconds and state.asked_at else 0


def _deliver(state: FleetState, now: int) -> Next:
    is_idle = not count(state, UNDER_WAY)
    ready = ready_places(state, room_left(state))
    if not ready and is_idle:
        return Next(in_phase(state, "check" if UNPROVEN in state.marks else "next"), ())
    if not ready or state.is_paused:
        return Next(state, ())
    held = _held(state, now)
    if held is not None:
        return held
    return Next(marked(state, ready, STARTED), (StartUnits(tuple(state.units[place] for place in ready)),))


def _held(state: FleetState, now: int) -> Next | None:
    """What the calendar has to say before a unit is started; None when it has no objection."""
    if not state.limits.has_calendar:
        return None
    if not is_calendar_known(state, now):
        asked: tuple[Action, ...] = () if state.is_calendar_asked else (ReadCalendar(),)
        return Next(replace(state, is_calendar_asked=True), asked)
    closed = closed_at(state, now)
    if closed is None or closed.ends_at <= state.overridden_until:
        return None
    return Next(state, (WaitUntil(at_second(_look_again_at(state, closed, now)), closed.why),))


def _look_again_at(state: FleetState, closed: Closed, now: int) -> int:
    """When what holds is over; before that, now and then, since it may have been taken back or become longer."""
    fresh_seconds = state.limits.calendar_fresh_seconds
    return min(closed.ends_at, now + max(fresh_seconds, LOOK_AGAIN_SECONDS)) if fresh_seconds else closed.ends_at


def _check(state: FleetState, _now: int) -> Next:
    is_after_bake = state.phase == "recheck"
    if not state.limits.has_gates:
        return Next(proven(state) if is_after_bake else in_phase(state, "bake"), ())
    if state.is_paused:
        return Next(state, ())
    asked = in_phase(state, "rechecking" if is_after_bake else "checking")
    return Next(asked, (_gates(state, is_after_bake=is_after_bake),))


def _checking(state: FleetState, _now: int) -> Next:
    return Next(state, ())


def _bake(state: FleetState, now: int) -> Next:
    """A last wave that no gate judges has nothing to prove to anybody."""
    is_last = PENDING not in state.marks[reach(state, state.opened) :]
    if not state.limits.bake_seconds or (is_last and not state.limits.has_gates):
        return Next(proven(state), ())
    if not state.bake_ends_at:
        state = replace(state, bake_ends_at=now + state.limits.bake_seconds)
    if now >= state.bake_ends_at:
        return Next(in_phase(state, "recheck"), ())
    return Next(state, (WaitUntil(at_second(state.bake_ends_at), f"wave {current_wave(state).name} proves itself"),))


def _next_wave(state: FleetState, now: int) -> Next:
    if state.opened == len(state.waves) or _is_withheld(state):
        return wind_up(state)
    wave = state.waves[state.opened]
    if PENDING not in state.marks[reach(state, state.opened) : reach(state, state.opened + 1)]:
        return Next(replace(state, opened=state.opened + 1), ())
    if wave.needs_approval and wave.name not in state.approved:
        return _asking(state, wave, now)
    if state.is_paused:
        return Next(state, ())
    if state.limits.calendar_fresh_seconds:
        state = replace(state, calendar=None)  # whatever was declared since then holds this wave
    return Next(in_phase(replace(state, opened=state.opened + 1), "deliver"), ())


def _asking(state: FleetState, wave: Stage, now: int) -> Next:
    """Ask once, and wait as long as an approval is waited for."""
    actions: list[Action] = []
    if state.asked != wave.name:
        state = replace(state, asked=wave.name, asked_at=now)
        actions.append(AskApproval(wave.name, tuple(state.limits.approvers)))
    deadline = _approval_ends_at(state)
    if deadline > now:
        actions.append(WaitUntil(at_second(deadline), f"approval of wave {wave.name}"))
    return Next(state, tuple(actions))


def _is_withheld(state: FleetState) -> bool:
    """Services do not go away while a unit that was to change and did not may still call them."""
    before = state.marks[: reach(state, state.opened)]
    return state.waves[state.opened].name == CORE_REMOVALS and any(mark not in HELD for mark in before)


def _gates(state: FleetState, *, is_after_bake: bool) -> CheckGates:
    return CheckGates(current_wave(state).name, named(state, UNPROVEN), is_after_bake)


_PHASES: dict[Phase, Callable[[FleetState, int], Next]] = {
    "deliver": _deliver,
    "check": _check,
    "checking": _checking,
    "bake": _bake,
    "recheck": _check,
    "rechecking": _checking,
    "next": _next_wave,
}
