"""How fast units end and how long the rest takes: only from what was seen, and only when enough was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.watching.pace import FARTHEST, WINDOW_SECONDS, PaceMeter, Rate, ended, remaining_seconds
from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import GATES, NOON
from tests.watching.looks import RULES, at, baking, end_started, metered, planned, proven, second_wave, step, waiting
from workflows.fleet.decisions import approve, pause, resume
from workflows.fleet.models import DELIVERED, PENDING, STARTED, Calendar, Closed, FleetState
from workflows.fleet.state import marked, seconds

PLAIN = FleetRules(max_parallel=10)


def with_delivered(delivered: int, under_way: int = 4, units: int = 40, rules: FleetRules = PLAIN) -> FleetState:
    """A rollout of one wave, so far along."""
    state = replace(step(planned(rules, units), 0), marks=PENDING * units)
    state = marked(state, range(delivered), DELIVERED)
    return marked(state, range(delivered, min(delivered + under_way, units)), STARTED)


def test_before_anything_has_ended_there_is_no_rate() -> None:
    """However long the first ones take."""
    meter = metered((0, with_delivered(0)), (60, with_delivered(0)))

    assert meter.rate is None
    assert remaining_seconds(with_delivered(0), meter.rate, at(60)) is None
    assert PaceMeter().rate is None


def test_the_rate_is_what_ended_in_the_time_that_was_watched() -> None:
    """From the beginning: 10 in a minute."""
    meter = metered(
        (0, with_delivered(0, 0)), (1, with_delivered(0)), (31, with_delivered(5)), (61, with_delivered(10))
    )

    assert meter.rate == Rate(10, 60)
    assert meter.rate.per_minute == 10


def test_who_joins_late_measures_from_the_first_end_that_was_seen() -> None:
    """What ends right after joining had begun long before, and would look fast."""
    meter = metered((0, with_delivered(8)), (1, with_delivered(12)))

    assert meter.rate is None
    meter.look(with_delivered(14), at(31))
    assert meter.rate == Rate(2, 30)


def test_bakes_approvals_and_pauses_do_not_slow_the_rate_down() -> None:
    """Nothing is under way then, or a person wants nothing to begin."""
    paused = pause(with_delivered(10), "ines", NOON)
    meter = metered(
        (0, with_delivered(0, 0)),
        (0, with_delivered(0)),
        (60, with_delivered(10, 0)),
        (960, with_delivered(10)),
        (990, paused),
        (4990, resume(paused, "ines", NOON)),
        (5020, with_delivered(20)),
    )

    assert meter.rate == Rate(20, 120)


def test_the_rate_is_that_of_the_last_minutes() -> None:
    """A slow beginning is forgotten."""
    looks = [
        (float(number * 60), with_delivered(number if number <= 10 else 10 + (number - 10) * 4)) for number in range(17)
    ]
    meter = metered((0, with_delivered(0, 0)), *looks)

    assert meter.rate == Rate(4 * int(WINDOW_SECONDS // 60), WINDOW_SECONDS)


def test_units_that_are_taken_back_have_ended_before() -> None:
    """A restore of the wave is neither progress nor its opposite."""
    state = with_delivered(10)

    assert ended(marked(state, range(5), "b")) == ended(marked(state, range(5), "w")) == ended(state) == 10


def test_the_rest_takes_as_long_as_what_was_seen() -> None:
    """30 more at 10 a minute; no bake is declared."""
    assert remaining_seconds(with_delivered(10), Rate(10, 60), at(60)) == 180


@pytest.mark.parametrize(("seen", "is_known"), [(1, False), (FARTHEST, True)])
def test_two_canaries_are_no_basis_for_a_thousand(seen: int, is_known: bool) -> None:
    """One unit tells nothing about four hundred."""
    state = with_delivered(seen, units=FARTHEST * FARTHEST + seen)

    assert (remaining_seconds(state, Rate(seen, 10), at(10)) is not None) is is_known


def test_every_bake_that_is_declared_is_counted() -> None:
    """Three of a minute before the end: two more waves bake after the one that does now, since gates judge the last."""
    state = baking()

    assert remaining_seconds(state, Rate(2, 10), at(40)) == pytest.approx(38 * 5 + 30 + 3 * 60)
    assert remaining_seconds(second_wave(), Rate(2, 10), at(75)) == pytest.approx(38 * 5 + 60 + 2 * 60)


def test_a_bake_that_is_over_is_not_counted_again() -> None:
    """While the gates are checked once more."""
    state = step(baking(), 70)

    assert state.phase == "rechecking"
    assert remaining_seconds(state, Rate(2, 10), at(70)) == pytest.approx(38 * 5 + 3 * 60)


def test_a_last_wave_without_gates_does_not_bake() -> None:
    """It has nothing to prove to anybody."""
    rules = FleetRules(steps=(5, "100%"), bake_seconds=60, max_parallel=40)
    state = step(end_started(step(planned(rules), 0)), 10)

    assert state.phase == "bake"
    assert remaining_seconds(state, Rate(5, 10), at(10)) == pytest.approx(35 * 2 + 60)
    last = proven(state, 70)
    assert remaining_seconds(last, Rate(5, 10), at(70)) == pytest.approx(35 * 2)


def test_when_only_a_bake_is_left_no_rate_is_needed() -> None:
    """It ends when it ends."""
    rules = FleetRules(bake_seconds=60, max_parallel=40, gates=GATES)
    state = baking(rules)

    assert remaining_seconds(state, None, at(40)) == 30


def test_a_freeze_that_comes_before_the_end_is_counted() -> None:
    """An hour that begins in a minute; one that begins after the end does not matter, nor one that is overridden."""
    begins_at = seconds(at(60))
    state = with_delivered(10)
    near = replace(state, calendar=Calendar(0, 2**40, [Closed(begins_at, begins_at + 3600, "year-end")]))
    far = replace(state, calendar=Calendar(0, 2**40, [Closed(begins_at + 3600, begins_at + 7200, "year-end")]))
    overridden = replace(near, overridden_until=begins_at + 3600)

    assert remaining_seconds(near, Rate(10, 60), at(0)) == 180 + 3600
    assert remaining_seconds(near, Rate(10, 60), at(120)) == 180 + 3600 - 60
    assert remaining_seconds(far, Rate(10, 60), at(0)) == 180
    assert remaining_seconds(overridden, Rate(10, 60), at(0)) == 180


def test_how_long_an_end_takes_is_not_told() -> None:
    """Restores are no deliveries."""
    state = replace(waiting(), ending="rejected", ending_reason="ines rejected wave 2")

    assert remaining_seconds(state, Rate(10, 60), at(150)) is None


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(0, 5)), min_size=1, max_size=40))
def test_no_order_of_looks_gives_a_rate_that_was_not_there(pauses: list[tuple[float, int]]) -> None:
    """Never negative, never more units than ended, never more time than passed."""
    meter, now, delivered = PaceMeter(), at(0), 0
    meter.look(with_delivered(0, 0, 250), now)
    meter.look(with_delivered(0, 4, 250), now)
    for pause_seconds, more in pauses:
        now += timedelta(seconds=pause_seconds)
        delivered += more
        meter.look(with_delivered(delivered, 4, 250), now)
    if meter.rate is not None:
        assert 0 < meter.rate.units <= delivered
        assert 0 < meter.rate.seconds <= (now - at(0)).total_seconds() + 1e-6


def test_an_approved_wave_is_no_longer_left_out() -> None:
    """The units of the wave that waits are counted either way."""
    state = waiting()
    approved = approve(state, "2", "ines.keller", at(141))

    assert RULES.approval_before == (2,)
    assert remaining_seconds(approved, Rate(5, 10), at(150)) == remaining_seconds(state, Rate(5, 10), at(150))
