"""Reading and marking units of a fleet's state. Pure; nothing here decides anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from policies.errors import AdxError
from policies.infrastructure.roles import names
from workflows.fleet.models import (
    CANCELLING,
    DELIVERED,
    FAILED,
    KEPT_RECORDS,
    NEEDS_OPERATOR,
    PENDING,
    RESTORING,
    SKIPPED,
    STARTED,
    TAKEN_BACK,
    UNPROVEN,
    Closed,
    Ending,
    FailedUnitEnd,
    FleetState,
    Phase,
    Stage,
    UnitEnd,
    UnitFailure,
)

UNDER_WAY = STARTED + CANCELLING
HELD = UNPROVEN + DELIVERED
ENDS: dict[str, UnitEnd] = {
    UNPROVEN: "delivered",
    DELIVERED: "delivered",
    FAILED: "restored",
    TAKEN_BACK: "restored",
    SKIPPED: "skipped",
    PENDING: "untouched",
    NEEDS_OPERATOR: "needs-operator",
}
MAX_REASON = 300


class UnitUnknown(AdxError):
    """The rollout does not concern this unit."""


def unit_ends(state: FleetState) -> dict[str, UnitEnd]:
    """How each unit ended; while the rollout runs, those that are under way are missing."""
    return {unit: ENDS[mark] for unit, mark in zip(state.units, state.marks, strict=True) if mark in ENDS}


def end_counts(state: FleetState) -> Counter[UnitEnd]:
    """How many units ended how."""
    counts: Counter[UnitEnd] = Counter()
    for mark, end in ENDS.items():
        counts[end] += state.marks.count(mark)
    return counts


def place_of(state: FleetState, unit: str) -> int:
    """Where ``unit`` is in the state. Raises UnitUnknown."""
    try:
        return state.units.index(unit)
    except ValueError:
        raise UnitUnknown(
            f"the rollout does not concern {unit}", next_step="name one of its units, such as tenant/acme"
        ) from None


def mark_of(state: FleetState, unit: str) -> str:
    """What has become of ``unit`` so far. Raises UnitUnknown."""
    return state.marks[place_of(state, unit)]


def marked(state: FleetState, places: Iterable[int], mark: str) -> FleetState:
    """The state with ``mark`` at ``places``."""
    marks = bytearray(state.marks, "ascii")
    for place in places:
        marks[place] = ord(mark)
    return replace(state, marks=marks.decode("ascii"))


def named(state: FleetState, marks: str) -> tuple[str, ...]:
    """The units that have one of ``marks``."""
    return tuple(state.units[place] for place in places_with(state, marks))


def places_with(state: FleetState, marks: str, upto: int | None = None) -> Iterator[int]:
    """Where one of ``marks`` stands among the first ``upto`` units."""
    # Thousands of letters are skipped at once: this runs after every answer.
    return (found.start() for found in re.finditer(f"[{marks}]", state.marks[:upto]))


def count(state: FleetState, marks: str) -> int:
    """How many units have one of ``marks``."""
    return sum(state.marks.count(mark) for mark in marks)


def reach(state: FleetState, waves: int) -> int:
    """How many units are in the first ``waves`` waves."""
    return sum(stage.size for stage in state.waves[:waves])


def current_wave(state: FleetState) -> Stage:
    """The last wave that was opened."""
    return state.waves[state.opened - 1]


def ready_places(state: FleetState, room: int) -> list[int]:
    """Up to ``room`` units of opened waves that may start, since they have not yet."""
    return list(islice(places_with(state, PENDING, reach(state, state.opened)), max(0, room)))


def room_left(state: FleetState) -> int:
    """How many more units may be under way."""
    return state.limits.max_parallel - count(state, UNDER_WAY + RESTORING)


def is_calendar_known(state: FleetState, now: int) -> bool:
    """Whether it is known if something may be started at ``now``."""
    calendar, fresh_seconds = state.calendar, state.limits.calendar_fresh_seconds
    if calendar is None or not calendar.known_from <= now < calendar.known_until:
        return False
    return not fresh_seconds or now < calendar.known_from + fresh_seconds


def closed_at(state: FleetState, now: int) -> Closed | None:
    """What holds the rollout at ``now``, whether overridden or not."""
    periods = state.calendar.closed if state.calendar is not None else []
    return next((period for period in periods if period.begins_at <= now < period.ends_at), None)


def with_failure(state: FleetState, unit: str, end: FailedUnitEnd, reason: str) -> FleetState:
    """The state that remembers why ``unit`` failed."""
    failures = [*state.failures, UnitFailure(unit, end, reason[:MAX_REASON])]
    return replace(state, failures=failures[-KEPT_RECORDS:])


def ended(state: FleetState, ending: Ending, reason: str) -> FleetState:
    """The state in which nothing more is started; the first reason to end stays the reason."""
    return state if state.ending else replace(state, ending=ending, ending_reason=reason[:MAX_REASON])


def in_phase(state: FleetState, phase: Phase) -> FleetState:
    """The state in another phase of the current wave."""
    return replace(state, phase=phase, bake_ends_at=0)


def proven(state: FleetState) -> FleetState:
    """The state in which the gates and the bake of the current wave are over."""
    return in_phase(marked(state, places_with(state, UNPROVEN), DELIVERED), "next")


def approvers_named(state: FleetState) -> str:
    """Who may approve a wave, with the roles by which they may; empty for nobody."""
    limits = state.limits
    return names({name: limits.roles.get(name, "") for name in limits.approvers})


def seconds(now: datetime) -> int:
    """Whole seconds since 1970. A time without a zone could be anywhere's: ValueError."""
    if now.tzinfo is None:
        raise ValueError("a time without a time zone is no instant")
    return int(now.timestamp() // 1)


def at_second(second: int) -> datetime:
    """The instant, in UTC."""
    return datetime.fromtimestamp(second, UTC)
