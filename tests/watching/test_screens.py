"""Waves on a screen of 80 columns, as golden files. ``ADX_UPDATE_GOLDEN=1 pytest`` writes them anew; read them."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console, RenderableType

from pipelines.screens.fleet import fleet_screen, pace_words
from pipelines.screens.history import unit_history_screen
from pipelines.screens.watch import watch_screen
from pipelines.watching.pace import PaceMeter
from pipelines.watching.view import Counts, FleetView, Pace, WaveView, view_of
from tests.pipelines import records
from tests.watching.looks import (
    QUOTA,
    at,
    baking,
    end_started,
    metered,
    planned,
    second_wave,
    status,
    step,
    view,
    waiting,
)
from workflows.fleet.answers import restore_failed, unit_failed, unit_restored
from workflows.fleet.decisions import approve, pause, skip
from workflows.fleet.models import RESTORING, Calendar, Closed, FleetState, UnitFailure
from workflows.fleet.state import named, seconds
from workflows.ledger.models import UnitChange, UnitRecord
from workflows.ledger.unit_history import UnitDecision, UnitEntry, UnitStory
from workflows.models import StepProgress

GOLDEN = Path(__file__).parent / "golden"


def drawn(screen: RenderableType, width: int = 80) -> str:
    """``screen`` as a terminal of ``width`` columns shows it, without its colours."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, emoji=False).print(screen)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    return "\n".join(lines) + "\n"


def assert_golden(name: str, screen: RenderableType) -> None:
    """``screen`` is what ``golden/<name>.txt`` holds."""
    path, text = GOLDEN / f"{name}.txt", drawn(screen)
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_the_second_wave_is_delivered_while_one_has_failed() -> None:
    """With steps of the rollout above, speed and time left, cells and the failure."""
    state = second_wave()
    delivering = unit_failed(state, state.units[2], "restored", QUOTA)
    meter = metered((0, planned()), (0, step(planned(), 0)), (10, baking()), (70, state), (75, delivering))
    rollout = records.status(5, "succeeded")
    rollout.steps.insert(-1, StepProgress("tenants", "running", "", at(0).isoformat()))
    seen = view_of(status(delivering, "cell-002", "cell-003"), meter, at(75))

    assert_golden("delivering", watch_screen(rollout, (), at(75), seen))


def test_a_wave_bakes() -> None:
    """Until when is counted down; gates, bakes and an approval are still to come."""
    meter = metered((0, planned()), (0, step(planned(), 0)), (10, baking()))

    assert_golden("baking", fleet_screen(view(baking(), 40, meter=meter), "production", at(40)))


def test_a_wave_waits_for_somebody() -> None:
    """Who, and with which command."""
    assert_golden("waiting", fleet_screen(view(waiting(), 141), "production", at(141)))


def test_a_pause_and_a_freeze_say_why_and_until_when() -> None:
    """Both at once."""
    state = pause(second_wave(), "ines.keller", at(72), reason="errors at two canaries since 09:00")
    state = skip(state, state.units[-1], "ines.keller", at(73), reason="moves next week")
    why = "freeze year-end (The books are closed.) until 2027-01-04 08:00 in Europe/Berlin"
    state = replace(state, calendar=Calendar(0, 2**40, [Closed(seconds(at(0)), seconds(at(3600 * 24)), why)]))

    assert_golden("held", fleet_screen(view(state, 75, "cell-001"), "production", at(75)))


def beyond_the_budget() -> FleetState:
    """Too many of the second step fail, and what was delivered of it goes back."""
    state = approve(waiting(), "2", "ines.keller", at(150))
    state = step(state, 150)
    return step(end_started(state, failing=state.units[5:11]), 160)


def test_beyond_the_budget_the_wave_is_restored() -> None:
    """The last failures are named, the others counted; what never began is untouched."""
    assert_golden("restoring", fleet_screen(view(beyond_the_budget(), 160, "cell-004"), "production", at(160)))


def test_a_unit_that_needs_an_operator_is_named() -> None:
    """At the end: what is unknown stands out."""
    state = beyond_the_budget()
    lost, *others = named(state, RESTORING)
    state = restore_failed(state, lost, "the cluster is away")
    for unit in others:
        state = unit_restored(state, unit)
    ended = step(state, 170)

    assert ended.outcome == "needs-operator"
    assert_golden("needs_operator", fleet_screen(view(ended, 170), "production", at(170)))


def test_a_thousand_units_in_twelve_waves_fit() -> None:
    """Large numbers, long reasons, many cells."""
    waves = tuple(
        WaveView(name=str(number), state="done", counts=Counts(total=9000, delivered=9000)) for number in range(1, 12)
    )
    last = Counts(total=12000, delivered=1234, under_way=100, restored=120, skipped=3, needs_operator=2)
    seen = FleetView(
        waves=(*waves, WaveView(name="12", state="delivering", counts=last)),
        counts=Counts(total=111000, delivered=100234),
        pace=Pace(units_per_minute=1250.5, measured_seconds=300, remaining_seconds=517, not_counted=("the gates",)),
        failures=tuple(UnitFailure(f"tenant/{'x' * 40}-{n}", "restored", QUOTA * 4) for n in range(7)),
        failed=122,
        allowed_failures=200,
        busy=tuple(f"cell-{number:03}" for number in range(20)),
    )

    assert_golden("large", fleet_screen(seen, "production", at(0)))


def test_text_from_outside_cannot_forge_lines() -> None:
    """A reason with control characters is shown as one."""
    state = unit_failed(second_wave(), second_wave().units[2], "restored", "no\n\x1b[31mforged")

    text = drawn(fleet_screen(view(state, 75), "production", at(75)))
    assert "\x1b" not in text
    assert "\nforged" not in text


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (Pace(), "time left not known yet"),
        (Pace(units_per_minute=12.5), "12.5 units/min, time left not known yet"),
        (Pace(units_per_minute=60.0, remaining_seconds=370), "60 units/min, about 6 min 10 s left"),
        (
            Pace(remaining_seconds=30, not_counted=("the pause", "the approval of wave 2", "the gates")),
            "about 30 s left, without the pause, the approval of wave 2 and the gates",
        ),
    ],
)
def test_the_pace_in_words(pace: Pace, words: str) -> None:
    """What is not known is said to be so."""
    assert pace_words(pace) == words


def test_waves_that_are_still_being_planned_are_no_view() -> None:
    """The workflow has begun and not read anything yet."""
    assert view_of(status(None), PaceMeter(), at(0)) is None


def test_how_a_tenant_got_where_it_is() -> None:
    """Delivered, restored by a failed rollout, and skipped by a person in between."""
    now = UnitRecord(
        environment="production",
        unit="tenant/acme",
        status="restored",
        digest="d1" * 32,
        commit=records.NEW,
        rollout_id=records.RESTORED.id,
        fencing_token=9,
        updated_at=records.at(hours=1, minutes=1),
    )
    first = UnitChange(
        sequence=1,
        environment="production",
        unit="tenant/acme",
        rollout_id=records.DELIVERED.id,
        status="applied",
        digest="d1" * 32,
        commit=records.NEW,
        version=None,
        reason="",
        from_status="applied",
        from_digest="d0" * 32,
        from_commit=records.OLD,
        at=records.at(seconds=40),
    )
    restored = msgspec.structs.replace(
        first,
        sequence=2,
        rollout_id=records.RESTORED.id,
        status="restored",
        reason=QUOTA,
        from_digest=first.digest,
        from_commit=records.NEW,
        at=now.updated_at,
    )
    decision = UnitDecision(
        at=records.at(minutes=30),
        by="ines.keller",
        what="skip",
        reason="moves next week",
        rollout_id=records.RUNNING.id,
    )
    entries = (
        UnitEntry(change=restored, rollout=records.RESTORED),
        UnitEntry(change=first, rollout=records.DELIVERED),
    )
    story = UnitStory(now=now, version=None, changes=entries, decisions=(decision,))
    service = msgspec.structs.replace(
        story,
        now=msgspec.structs.replace(now, environment="staging"),
        version="v1.2.0",
        changes=entries[:1],
        decisions=(),
    )

    assert_golden("unit_history", unit_history_screen("tenant/acme", [story, service], {}))


def test_a_unit_that_nothing_touched_has_no_story() -> None:
    """And is not an error: it may be declared and not delivered yet."""
    assert "No rollout has touched tenant/nobody" in drawn(unit_history_screen("tenant/nobody", [], {}))
