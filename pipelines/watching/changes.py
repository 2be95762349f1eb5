"""What happened to the waves of a rollout between two looks, as events in order. Pure.

Whoever joins late is told how every wave stands and which units have failed,
and from then on every change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from pipelines.watching.view import Counts, FleetView, Hold, Pace, wave_title
from workflows.fleet.models import (
    CANCELLING,
    DELIVERED,
    FAILED,
    NEEDS_OPERATOR,
    PENDING,
    RESTORING,
    SKIPPED,
    STARTED,
    TAKEN_BACK,
    UNPROVEN,
    DecisionTaken,
    FleetState,
)
from workflows.fleet.state import at_second, reach

UNIT_WORDS = {
    PENDING: "pending",
    STARTED: "started",
    CANCELLING: "cancelling",
    UNPROVEN: "delivered",
    DELIVERED: "delivered",
    RESTORING: "restoring",
    FAILED: "restored",
    TAKEN_BACK: "restored",
    NEEDS_OPERATOR: "needs-operator",
    SKIPPED: "skipped",
}


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers of the whole rollout, or of a wave (then without ``pace``)."""

    units: Counts
    pace: Pace | None = None


@dataclass(frozen=True)
class FleetChange:
    """One thing that happened: to a wave, to a unit, by a person's word, or to the numbers."""

    status: str
    wave: str = ""
    unit: str = ""
    message: str = ""
    at: str = ""
    until: str = ""
    progress: Progress | None = None


@dataclass(frozen=True)
class Look:
    """The state of a rollout at some time, and the view of it."""

    state: FleetState
    view: FleetView


def changes(before: Look | None, after: Look) -> list[FleetChange]:
    """What happened: decisions, units, waves, holds, and last the numbers where they have changed."""
    happened = [*_decisions(before, after), *_units(before, after), *_waves(before, after), *_holds(before, after)]
    has_changed = before is None or before.view.counts != after.view.counts
    if has_changed and after.view.counts.total:
        numbers = Progress(units=after.view.counts, pace=after.view.pace)
        happened.append(FleetChange("progress", message=_numbers(after.view.counts), progress=numbers))
    return happened


def _decisions(before: Look | None, after: Look) -> Iterator[FleetChange]:
    if before is None:
        return
    known = Counter(before.state.decisions)
    for decision in after.state.decisions:
        if known[decision]:
            known[decision] -= 1
        else:
            yield FleetChange("decision", message=_said(decision), at=at_second(decision.at).isoformat())


def _said(decision: DecisionTaken) -> str:
    about = f" {decision.about}" if decision.about else ""
    return f"{decision.what}{about} by {decision.by}" + (f": {decision.reason}" if decision.reason else "")


def _units(before: Look | None, after: Look) -> Iterator[FleetChange]:
    state = after.state
    reasons = {failure.unit: failure.reason for failure in state.failures}
    waves = _wave_names(state)
    for place, (unit, mark) in enumerate(zip(state.units, state.marks, strict=True)):
        word = UNIT_WORDS[mark]
        is_failed = mark in FAILED + NEEDS_OPERATOR
        is_news = is_failed if before is None else word != UNIT_WORDS[before.state.marks[place]]
        if is_news:
            yield FleetChange(word, wave=waves[place], unit=unit, message=reasons.get(unit, "") if is_failed else "")


def _wave_names(state: FleetState) -> list[str]:
    names: list[str] = []
    for number, stage in enumerate(state.waves):
        names += [stage.name] * (reach(state, number + 1) - len(names))
    return names


def _waves(before: Look | None, after: Look) -> Iterator[FleetChange]:
    was = {wave.name: (wave.state, wave.until) for wave in before.view.waves} if before is not None else {}
    for wave in after.view.waves:
        if was.get(wave.name) != (wave.state, wave.until):
            numbers = Progress(units=wave.counts)
            message = _numbers(wave.counts)
            yield FleetChange(wave.state, wave=wave.name, message=message, until=wave.until, progress=numbers)


def _holds(before: Look | None, after: Look) -> Iterator[FleetChange]:
    was: tuple[Hold, ...] = before.view.holds if before is not None else ()
    for hold in was:
        if hold not in after.view.holds:
            yield FleetChange("released", wave=hold.wave, message=hold.why)
    for hold in after.view.holds:
        if hold not in was:
            yield FleetChange("held", wave=hold.wave, message=hold.why, until=hold.until)


def _numbers(counts: Counts) -> str:
    """``4 of 12 delivered, 1 restored``."""
    more = "".join(f", {number} {word}" for word, number in counts.others.items())
    return f"{counts.delivered} of {counts.total} delivered{more}"


def change_title(change: FleetChange) -> str:
    """What a change is about, in a line of text."""
    if change.unit:
        return f"{change.unit} {change.status}"
    return f"{wave_title(change.wave)} {change.status}" if change.wave else change.status
