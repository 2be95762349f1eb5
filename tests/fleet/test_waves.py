"""Who is in which wave."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import tenants
from workflows.fleet.models import FleetUnit, Wave
from workflows.fleet.waves import WavesImpossible, plan_waves

tenant_units = st.builds(
    FleetUnit,
    st.sampled_from([f"tenant/t{number:03}" for number in range(12)]),
    st.sampled_from(["add", "change", "remove"]),
)
going_services = st.builds(FleetUnit, st.sampled_from(["service/a", "service/b"]), st.just("remove"))
unit_lists = st.lists(tenant_units | going_services, unique_by=lambda unit: unit.id)
shares = st.integers(1, 15) | st.integers(1, 100).map(lambda percent: f"{percent}%")
rules_of_any_kind = st.builds(
    FleetRules,
    canaries=st.lists(st.sampled_from([f"t{number:03}" for number in range(12)]), max_size=3, unique=True).map(tuple),
    steps=st.lists(shares, max_size=4).map(tuple),
    approval_before=st.lists(st.just("canaries") | st.integers(1, 5), max_size=3, unique=True).map(tuple),
)


def sizes(waves: tuple[Wave, ...]) -> dict[str, int]:
    """Wave → number of units."""
    return {wave.name: len(wave.units) for wave in waves}


def test_canaries_steps_and_removals_come_in_that_order() -> None:
    """Steps are cumulative and count the canaries; what goes away is last, services after tenants."""
    units = [FleetUnit("tenant/gone", "remove"), FleetUnit("service/gone", "remove"), *tenants(40)]
    waves = plan_waves(units, FleetRules(canaries=("t007", "t003"), steps=(5, "25%")))
    assert sizes(waves) == {"canaries": 2, "1": 3, "2": 5, "3": 30, "removals": 1, "core-removals": 1}
    assert set(waves[0].units) == {"tenant/t003", "tenant/t007"}


@pytest.mark.parametrize("unit", ["platform", "service/cart"])
def test_what_everybody_depends_on_is_in_no_wave(unit: str) -> None:
    """It is delivered before the first one, as one with the rest of the core."""
    with pytest.raises(WavesImpossible, match=f"{unit} belongs before the waves"):
        plan_waves([FleetUnit(unit), *tenants(2)], FleetRules())


@pytest.mark.parametrize(
    ("count", "steps", "expected"),
    [
        (3, ("25%",), [1, 2]),
        (10, ("25%",), [3, 7]),
        (200, ("1%", "50%", "100%"), [2, 98, 100]),
        (4, (5, "25%"), [4]),
        (1, ("1%", "2%", "3%"), [1]),
        (8, (), [8]),
        (10, ("50%", 3), [5, 5]),
    ],
)
def test_steps_are_rounded_up_and_none_is_empty(count: int, steps: tuple[int | str, ...], expected: list[int]) -> None:
    """A quarter of three tenants is one; a step that adds nobody is left out."""
    assert list(sizes(plan_waves(tenants(count), FleetRules(steps=steps))).values()) == expected


def test_tenants_are_neither_in_alphabetical_order_nor_shuffled_anew() -> None:
    """The same tenants come first in every rollout, whoever else is affected, and not those with an a."""
    first = plan_waves(tenants(100), FleetRules(steps=("10%",)))[0].units
    assert list(first) != sorted(first)
    assert set(first) != {f"tenant/t{number:03}" for number in range(10)}
    without = [unit for unit in tenants(100) if unit.id != first[0]]
    assert plan_waves(without, FleetRules(steps=(9,)))[0].units == first[1:]


def test_an_approval_of_an_empty_wave_is_passed_on() -> None:
    """The canaries are not affected by this change: the approval before them guards the first step."""
    rules = FleetRules(canaries=("t900",), steps=(1, "1%"), approval_before=("canaries", 2))
    assert [(wave.name, wave.needs_approval) for wave in plan_waves(tenants(5), rules)] == [("1", True), ("3", True)]


def test_a_unit_that_is_there_twice_is_refused() -> None:
    """It would be delivered twice."""
    with pytest.raises(WavesImpossible, match="tenant/t001"):
        plan_waves([*tenants(2), FleetUnit("tenant/t001", "remove")], FleetRules())


@given(units=unit_lists, rules=rules_of_any_kind, seed=st.integers())
@settings(deadline=None)
def test_everybody_is_in_exactly_one_wave(units: list[FleetUnit], rules: FleetRules, seed: int) -> None:
    """Whatever the units and rules: a partition, the same for any order of input."""
    waves = plan_waves(units, rules)
    assert sorted(unit for wave in waves for unit in wave.units) == sorted(unit.id for unit in units)
    assert all(wave.units for wave in waves)
    shuffled = random.Random(seed).sample(units, len(units))
    assert plan_waves(shuffled, rules) == waves
