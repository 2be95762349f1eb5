"""How a fleet rollout ends: what is awaited, what is restored, what is said. Pure.

While it ends nothing is started. Pauses and freezes do not keep it from
restoring: they are there to keep a change from spreading.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workflows.fleet.durable import FleetResult
from workflows.fleet.models import (
    REMOVALS,
    RESTORING,
    Ending,
    Finish,
    FleetOutcome,
    FleetState,
    Next,
    RestoreUnits,
    Summary,
    UnitEnd,
)
from workflows.fleet.state import (
    HELD,
    UNDER_WAY,
    count,
    end_counts,
    marked,
    places_with,
    reach,
    room_left,
    unit_ends,
)

REASONS_KEPT = 20

_RESTORING_ENDINGS = frozenset({"over-budget", "gate-failed"})
_SAID_BY_PEOPLE: dict[Ending, FleetOutcome] = {
    "rejected": "rejected",
    "approval-expired": "rejected",
    "superseded": "superseded",
    "cancelled": "cancelled",
}
_WORDS: dict[UnitEnd, str] = {
    "delivered": "delivered",
    "restored": "restored",
    "skipped": "skipped",
    "untouched": "untouched",
    "needs-operator": "in need of an operator",
}


def wind_up(state: FleetState) -> Next:
    """Await what is under way, restore what is to be restored, then finish."""
    if count(state, UNDER_WAY):
        return Next(state, ())
    due = _due(state)
    if due:
        names = tuple(state.units[place] for place in due)
        return Next(marked(state, due, RESTORING), (RestoreUnits(names, state.ending_reason),))
    if RESTORING in state.marks:
        return Next(state, ())
    summary = summary_of(state)
    outcome = _outcome(state, summary)
    return Next(replace(state, outcome=outcome), (Finish(outcome, summary),))


def summary_of(state: FleetState) -> Summary:
    """How many units ended how so far."""
    counts = end_counts(state)
    return Summary(
        text=_text(counts),
        delivered=counts["delivered"],
        restored=counts["restored"],
        skipped=counts["skipped"],
        untouched=counts["untouched"],
        needs_operator=counts["needs-operator"],
        ending=state.ending,
        reason=state.ending_reason,
    )


def result_of(state: FleetState, finish: Finish) -> FleetResult:
    """What the rollout is told of the end."""
    delivered = sorted(unit for unit, end in unit_ends(state).items() if end == "delivered")
    reasons = [f"{failure.unit}: {failure.reason}" for failure in state.failures[:REASONS_KEPT]]
    return FleetResult(finish.outcome, finish.summary, delivered, reasons)


def _due(state: FleetState) -> list[int]:
    """The units to be restored now: of the last wave that has any.

    Not tenants that went away: who is created anew is empty, which is not what was there before.
    """
    for wave in range(state.opened, _restored_from(state), -1):
        begin, end = reach(state, wave - 1), reach(state, wave)
        is_for_good = state.waves[wave - 1].name == REMOVALS
        if is_for_good or not any(mark in HELD + RESTORING for mark in state.marks[begin:end]):
            continue
        held = [place for place in places_with(state, HELD, end) if place >= begin]
        return held[::-1][: max(0, room_left(state))]
    return []


def _restored_from(state: FleetState) -> int:
    """How many waves stay as they are: all of them, all before the current one, or none."""
    if state.ending not in _RESTORING_ENDINGS:
        return state.opened
    return {"stop": state.opened, "restore_wave": state.opened - 1, "restore_all": 0}[state.limits.beyond_budget]


def _outcome(state: FleetState, summary: Summary) -> FleetOutcome:
    if summary.needs_operator:
        return "needs-operator"
    if state.ending in _SAID_BY_PEOPLE:
        return _SAID_BY_PEOPLE[state.ending]
    if summary.delivered == len(state.units):
        return "delivered"
    if not summary.delivered and summary.restored:
        return "restored"
    return "stopped" if state.ending else "partly-delivered"


def _text(counts: Counter[UnitEnd]) -> str:
    """``4,998 delivered, 1 restored, 1 untouched``."""
    return ", ".join(f"{counts[end]:,} {words}" for end, words in _WORDS.items() if counts[end]) or "nothing to deliver"
