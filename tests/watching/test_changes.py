"""What happened between two looks at the waves: each change once, in order, for programs and for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgspec

from pipelines.screens.watch import StepEvent, event_line, fleet_event
from pipelines.watching.changes import UNIT_WORDS, FleetChange, changes
from pipelines.watching.view import Counts, Pace, WaveState
from tests.fleet.fleets import NOON
from tests.pipelines import records
from tests.watching.looks import (
    QUOTA,
    UNITS,
    at,
    baking,
    end_started,
    look,
    planned,
    second_wave,
    step,
    waiting,
    with_marks,
)
from workflows.fleet.answers import unit_failed
from workflows.fleet.decisions import approve, override_hold, pause, resume
from workflows.fleet.models import DELIVERED, STARTED, TAKEN_BACK, Calendar, Closed, FleetState
from workflows.fleet.state import seconds


def happened(before: FleetState | None, after: FleetState, seconds: float = 0) -> list[FleetChange]:
    """The changes between two states."""
    return changes(look(before, seconds) if before is not None else None, look(after, seconds))


def told(found: list[FleetChange]) -> list[tuple[str, str]]:
    """What each is about, and the word for it."""
    return [(change.unit or change.wave, change.status) for change in found]


def test_who_joins_is_told_every_wave_what_failed_and_the_numbers() -> None:
    """Not each unit that was delivered before."""
    failing = second_wave().units[2]

    assert told(happened(None, waiting(failing=[failing]), 141)) == [
        (failing, "restored"),
        ("canaries", "done"),
        ("1", "done"),
        ("2", "waiting-for-approval"),
        ("3", "pending"),
        ("2", "held"),
        ("", "progress"),
    ]


def test_units_and_waves_are_told_as_they_move() -> None:
    """A wave begins, is delivered, checked, and bakes until a time that is told."""
    first = step(planned(), 0)
    begun = happened(planned(), first)
    delivered = happened(first, baking(), 10)

    assert told(begun)[:2] == [(first.units[0], "started"), (first.units[1], "started")]
    assert ("canaries", "delivering") in told(begun)
    assert told(delivered) == [
        (first.units[0], "delivered"),
        (first.units[1], "delivered"),
        ("canaries", "baking"),
        ("", "progress"),
    ]
    assert delivered[2].until == at(70).isoformat()
    numbers = delivered[-1].progress
    assert numbers is not None
    assert (numbers.units.delivered, numbers.units.total) == (2, UNITS)


def test_nothing_new_is_nothing_told() -> None:
    """Also when time has passed; the end of a bake's proof is no news of a unit."""
    assert happened(second_wave(), second_wave(), 75) == []
    proven = with_marks(baking(), DELIVERED * 2)
    assert [change for change in happened(baking(), proven, 60) if change.unit] == []


def test_a_failure_is_told_with_its_reason() -> None:
    """And what is taken back with its wave is told as restored."""
    state = second_wave()
    unit = state.units[2]
    failed = unit_failed(state, unit, "restored", QUOTA)

    assert happened(state, failed, 75)[0] == FleetChange("restored", wave="1", unit=unit, message=QUOTA)
    taken_back = with_marks(state, TAKEN_BACK)
    assert (state.units[0], "restored") in told(happened(state, taken_back, 75))


def test_what_people_say_is_told_once_with_name_and_reason() -> None:
    """Also twice the same word in one look; what was said before joining is past."""
    state = second_wave()
    once = pause(state, "ines", NOON, reason="errors in t007")
    twice = pause(resume(once, "ines", NOON), "ines", NOON, reason="errors in t007")

    said = [change.message for change in happened(state, twice, 75) if change.status == "decision"]
    assert said == ["pause by ines: errors in t007", "resume by ines", "pause by ines: errors in t007"]
    again = [change.message for change in happened(once, twice, 75) if change.status == "decision"]
    assert again == said[1:]
    assert [change for change in happened(twice, twice, 75) if change.status == "decision"] == []
    assert [change for change in happened(None, twice, 75) if change.status == "decision"] == []


def test_holds_are_told_when_they_begin_and_end() -> None:
    """An approval that is given, a pause that is over."""
    state = waiting()
    approved = approve(state, "2", "ines.keller", at(150))
    paused = pause(second_wave(), "ines", NOON)

    assert ("2", "released") in told(happened(state, approved, 150))
    assert ("", "held") in told(happened(second_wave(), paused, 75))
    assert ("", "released") in told(happened(paused, resume(paused, "ines", NOON), 76))
    assert happened(paused, paused, 76) == []


def test_an_approval_that_expires_says_when() -> None:
    """Where it does not, nothing is said."""
    state = waiting()
    limited = replace(state, asked_at=seconds(at(140)), limits=replace(state.limits, approval_within_seconds=3600))

    assert [hold.until for hold in look(limited, 150).view.holds] == [at(3740).isoformat()]
    unlimited = replace(limited, limits=replace(state.limits, approval_within_seconds=0))
    assert [hold.until for hold in look(unlimited, 150).view.holds] == [""]


def test_a_freeze_that_is_overridden_holds_nothing() -> None:
    """Until it is over."""
    frozen = Calendar(0, 2**40, [Closed(seconds(at(0)), seconds(at(3600)), "year-end")])
    held = replace(second_wave(), calendar=frozen)
    free = override_hold(held, "ines", at(75), reason="a security fix")

    assert [hold.until for hold in look(held, 75).view.holds] == [at(3600).isoformat()]
    assert ("", "released") in told(happened(held, free, 76))
    assert look(free, 76).view.holds == ()


def test_a_unit_that_is_tried_again_is_pending_again() -> None:
    """After a retry."""
    state = second_wave()
    unit = state.units[2]
    failed = unit_failed(state, unit, "restored", QUOTA)
    again = replace(failed, marks=state.marks.replace(STARTED, ".", 1))

    assert (unit, "pending") in told(happened(failed, again, 80))


def test_a_change_is_one_line_of_json_or_of_text() -> None:
    """Fields that say nothing are left out; older readers find what they know."""
    status = records.status(3, "running")
    change = happened(end_started(second_wave()), baking(), 10)[-1]
    event = fleet_event(status, change, at(10))
    encoded = msgspec.to_builtins(event)

    assert set(encoded) == {"at", "environment", "rollout", "commit", "status", "step", "message", "progress"}
    assert (encoded["step"], encoded["status"]) == ("tenants", "progress")
    assert encoded["progress"]["units"] == {"total": UNITS, "delivered": 2}
    line = event_line(event).plain
    assert line == "09:05:10 production progress  2 of 40 delivered  time left not known yet"


def test_lines_name_what_they_are_about() -> None:
    """Waves, units, words."""
    status = records.status(3, "running")
    lines = [
        event_line(fleet_event(status, change, at(10))).plain
        for change in (
            FleetChange("baking", wave="1", message="5 of 5 delivered", until=at(70).isoformat()),
            FleetChange("restored", wave="1", unit="tenant/acme", message=QUOTA),
            FleetChange("decision", message="pause by ines", at=at(7).isoformat()),
            FleetChange("held", message="paused by ines"),
        )
    ]

    assert lines == [
        "09:05:10 production wave 1 baking  5 of 5 delivered  until 2026-01-31 09:06:10 UTC",
        f"09:05:10 production tenant/acme restored  {QUOTA}",
        "09:05:07 production decision  pause by ines",
        "09:05:10 production held  paused by ines",
    ]


def test_the_guide_names_every_field_and_status() -> None:
    """Programs are written by it."""
    guide = (Path(__file__).parents[2] / "docs" / "watch.md").read_text()
    words = {*StepEvent.__struct_fields__, *Pace.__struct_fields__, *Counts.__struct_fields__}
    words |= {*get_args(WaveState), *UNIT_WORDS.values()}

    assert {word for word in words if f"`{word}`" not in guide} == set()
