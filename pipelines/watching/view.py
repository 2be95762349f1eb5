"""How the waves of a rollout stand, in words and numbers; this is what screens draw and JSON lines carry. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import msgspec

from pipelines.watching.pace import PaceMeter, Rate, remaining_seconds
from policies.placement import SEPARATOR
from workflows.fleet.budget import budget_of
from workflows.fleet.durable import FleetStatus
from workflows.fleet.machine import awaited_wave
from workflows.fleet.models import (
    DELIVERED,
    FAILED,
    NEEDS_OPERATOR,
    PENDING,
    RESTORING,
    SKIPPED,
    TAKEN_BACK,
    UNPROVEN,
    FleetState,
    Phase,
    UnitFailure,
)
from workflows.fleet.state import UNDER_WAY, approvers_named, at_second, closed_at, mark_of, reach, seconds

WaveState = Literal[
    "pending",
    "waiting-for-approval",
    "delivering",
    "checking",
    "baking",
    "done",
    "ending",
    "restoring",
    "restored",
    "untouched",
]
_BY_PHASE: dict[Phase, WaveState] = {
    "deliver": "delivering",
    "check": "checking",
    "checking": "checking",
    "bake": "baking",
    "recheck": "checking",
    "rechecking": "checking",
    "next": "done",
}


class _View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what is shown."""


class Counts(_View, frozen=True, kw_only=True):
    """How many units there are, and are how; what is in none of the others has not begun."""

    total: int
    delivered: int = 0
    under_way: int = 0
    restoring: int = 0
    restored: int = 0
    skipped: int = 0
    needs_operator: int = 0

    @property
    def others(self) -> dict[str, int]:
        """How many are neither waiting nor delivered, by the words for it; those that are none are left out."""
        named = {
            "under way": self.under_way,
            "being restored": self.restoring,
            "restored": self.restored,
            "skipped": self.skipped,
            "in need of an operator": self.needs_operator,
        }
        return {word: number for word, number in named.items() if number}

    @property
    def settled(self) -> int:
        """Units to which nothing more happens unless somebody wants it."""
        return self.delivered + self.restored + self.skipped + self.needs_operator


class WaveView(_View, frozen=True, kw_only=True):
    """One wave. ``until`` (ISO 8601) is when its bake ends."""

    name: str
    state: WaveState
    counts: Counts
    until: str = ""


class Hold(_View, frozen=True, kw_only=True):
    """Why nothing is started. ``until`` (ISO 8601) is when that ends by itself, or, of an approval, the rollout."""

    kind: Literal["pause", "approval", "calendar"]
    why: str
    until: str = ""
    wave: str = ""


class Pace(_View, frozen=True, kw_only=True):
    """Speed and what remains; None where there is no basis yet. ``not_counted``: what takes nobody knows how long."""

    units_per_minute: float | None = None
    measured_seconds: float | None = None
    remaining_seconds: float | None = None
    not_counted: tuple[str, ...] = ()


class FleetView(_View, frozen=True, kw_only=True):
    """A rollout's waves as they stand. ``busy`` are the cells that are worked on, without the environment's name."""

    waves: tuple[WaveView, ...]
    counts: Counts
    pace: Pace
    holds: tuple[Hold, ...] = ()
    failures: tuple[UnitFailure, ...] = ()
    failed: int = 0
    allowed_failures: int = 0
    busy: tuple[str, ...] = ()
    ending: str = ""
    ending_reason: str = ""
    outcome: str = ""


def view_of(status: FleetStatus, meter: PaceMeter, now: datetime) -> FleetView | None:
    """What is to be shown at ``now``; None while the waves are still being planned."""
    state = status.state
    if state is None:
        return None
    budget = budget_of(state)
    return FleetView(
        waves=tuple(_wave(state, number) for number in range(len(state.waves))),
        counts=_counts(state.marks),
        pace=_pace(state, meter.rate, now),
        holds=tuple(_holds(state, now)),
        failures=tuple(one for one in state.failures if mark_of(state, one.unit) in FAILED + NEEDS_OPERATOR),
        failed=budget.failed,
        allowed_failures=budget.allowed,
        busy=tuple(stack.partition(SEPARATOR)[2] or stack for stack in status.busy),
        ending=state.ending,
        ending_reason=state.ending_reason,
        outcome=state.outcome or "",
    )


def wave_title(name: str) -> str:
    """How a wave is called in a sentence: ``wave 2``, ``canaries``."""
    return f"wave {name}" if name.isdecimal() else name


def _wave(state: FleetState, number: int) -> WaveView:
    marks = state.marks[reach(state, number) : reach(state, number + 1)]
    now = _wave_state(state, number, marks)
    until = at_second(state.bake_ends_at).isoformat() if now == "baking" and state.bake_ends_at else ""
    return WaveView(name=state.waves[number].name, state=now, counts=_counts(marks), until=until)


def _wave_state(state: FleetState, number: int, marks: str) -> WaveState:
    if number >= state.opened:
        return _state_of_closed(state, number)
    if RESTORING in marks:
        return "restoring"
    is_running = state.outcome is None
    if is_running and not state.ending:
        return _BY_PHASE[state.phase] if number == state.opened - 1 else "done"
    if is_running and any(mark in UNDER_WAY for mark in marks):
        return "ending"
    if TAKEN_BACK in marks and not any(mark in UNPROVEN + DELIVERED for mark in marks):
        return "restored"
    return "done"


def _state_of_closed(state: FleetState, number: int) -> WaveState:
    if state.ending or state.outcome is not None:
        return "untouched"
    is_awaited = bool(awaited_wave(state)) and number == state.opened
    return "waiting-for-approval" if is_awaited else "pending"


def _counts(marks: str) -> Counts:
    return Counts(
        total=len(marks),
        delivered=marks.count(UNPROVEN) + marks.count(DELIVERED),
        under_way=sum(marks.count(mark) for mark in UNDER_WAY),
        restoring=marks.count(RESTORING),
        restored=marks.count(FAILED) + marks.count(TAKEN_BACK),
        skipped=marks.count(SKIPPED),
        needs_operator=marks.count(NEEDS_OPERATOR),
    )


def _pace(state: FleetState, rate: Rate | None, now: datetime) -> Pace:
    left = remaining_seconds(state, rate, now)
    return Pace(
        units_per_minute=round(rate.per_minute, 1) if rate is not None else None,
        measured_seconds=round(rate.seconds, 1) if rate is not None else None,
        remaining_seconds=round(left) if left is not None else None,
        not_counted=tuple(_not_counted(state)) if left is not None else (),
    )


def _not_counted(state: FleetState) -> Iterator[str]:
    if state.is_paused:
        yield "the pause"
    for number, stage in enumerate(state.waves[state.opened :], state.opened):
        is_due = PENDING in state.marks[reach(state, number) : reach(state, number + 1)]
        if stage.needs_approval and stage.name not in state.approved and is_due:
            yield f"the approval of {wave_title(stage.name)}"
    if state.limits.has_gates:
        yield "the gates"


def _holds(state: FleetState, now: datetime) -> Iterator[Hold]:
    if state.ending or state.outcome is not None:
        return
    if state.is_paused:
        yield Hold(kind="pause", why=_pause_words(state))
    awaited = awaited_wave(state)
    if awaited:
        who = approvers_named(state) or "nobody: no approvers are declared"
        why = f"{wave_title(awaited)} waits for approval by {who}"
        yield Hold(kind="approval", why=why, until=_expires(state), wave=awaited)
    closed = closed_at(state, seconds(now))
    if closed is not None and seconds(now) >= state.overridden_until and PENDING in state.marks:
        yield Hold(kind="calendar", why=closed.why, until=at_second(closed.ends_at).isoformat())


def _expires(state: FleetState) -> str:
    """Until when somebody must approve the wave that waits; empty where there is no limit."""
    within_seconds = state.limits.approval_within_seconds
    return at_second(state.asked_at + within_seconds).isoformat() if within_seconds and state.asked_at else ""


def _pause_words(state: FleetState) -> str:
    by_whom = next((one for one in reversed(state.decisions) if one.what == "pause"), None)
    if by_whom is None:
        return "paused"
    at = datetime.fromtimestamp(by_whom.at, UTC)
    reason = f": {by_whom.reason}" if by_whom.reason else ""
    return f"paused by {by_whom.by} at {at:%H:%M:%S} UTC{reason}"
