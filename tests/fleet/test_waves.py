"""Who is in which wave."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import tenants
from workflows.fleet.models import FleetUnit, Wave
from workflows.fleet.waves import WavesImpossible, plan_waves, waits_for

names = st.sampled_from(["platform", "service/a", "service/b", *(f"tenant/t{number:03}" for number in range(12))])
unit_lists = st.lists(
    st.builds(FleetUnit, names, st.sampled_from(["add", "change", "remove"])), unique_by=lambda unit: unit.id
)
shares = st.integers(1, 15) | st.integers(1, 100).map(lambda percent: f"{percent}%")
rules_of_any_kind = st.builds(
    FleetRules,
    canaries=st.lists(st.sampled_from([f"t{number:03}" for number in range(12)]), max_size=3, unique=True).map(tuple),
    steps=st.lists(shares, max_size=4).map(tuple),
    approval_before=st.lists(st.just("canaries") | st.integers(1, 5), max_size=3, unique=True).map(tuple),
)
edges = st.lists(st.tuples(names, names), max_size=6)


def sizes(waves: tuple[Wave, ...]) -> dict[str, int]:
    """Wave → number of units."""
    return {wave.name: len(wave.units) for wave in waves}


def plan(units: list[FleetUnit], rules: FleetRules, **needs: tuple[str, ...]) -> tuple[Wave, ...]:
    """The waves of tenants that need other tenants."""
    dependencies = {f"tenant/{name}": tuple(f"tenant/{other}" for other in others) for name, others in needs.items()}
    return plan_waves(units, rules, dependencies=dependencies)


def test_core_canaries_steps_and_removals_come_in_that_order() -> None:
    """Steps are cumulative and count the canaries; what goes away is last, services after tenants."""
    units = [
        FleetUnit("tenant/gone", "remove"), FleetUnit("service/gone", "remove"), FleetUnit("service/cart"),
        FleetUnit("platform"), *tenants(40),
    ]  # fmt: skip
    waves = plan_waves(units, FleetRules(canaries=("t007", "t003"), steps=(5, "25%")), dependencies={})
    assert sizes(waves) == {"core": 2, "canaries": 2, "1": 3, "2": 5, "3": 30, "removals": 1, "core-removals": 1}
    assert waves[0].units == ("platform", "service/cart")
    assert set(waves[1].units) == {"tenant/t003", "tenant/t007"}


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
    assert list(sizes(plan(tenants(count), FleetRules(steps=steps))).values()) == expected


def test_tenants_are_neither_in_alphabetical_order_nor_shuffled_anew() -> None:
    """The same tenants come first in every rollout, whoever else is affected, and not those with an a."""
    first = plan(tenants(100), FleetRules(steps=("10%",)))[0].units
    assert list(first) != sorted(first)
    assert set(first) != {f"tenant/t{number:03}" for number in range(10)}
    without = [unit for unit in tenants(100) if unit.id != first[0]]
    assert plan(without, FleetRules(steps=(9,)))[0].units == first[1:]


def test_an_approval_of_an_empty_wave_is_passed_on() -> None:
    """The canaries are not affected by this change: the approval before them guards the first step."""
    rules = FleetRules(canaries=("t900",), steps=(1, "1%"), approval_before=("canaries", 2))
    assert [(wave.name, wave.needs_approval) for wave in plan(tenants(5), rules)] == [("1", True), ("3", True)]


def test_a_canary_brings_along_what_it_needs() -> None:
    """It cannot be first without; what nobody in the rollout is does not matter."""
    waves = plan(tenants(5), FleetRules(canaries=("t001",)), t001=("t004",), t004=("t002", "elsewhere"))
    assert waves[0].units == ("tenant/t002", "tenant/t004", "tenant/t001")


def test_what_goes_away_goes_before_what_it_needed() -> None:
    """And waits for nothing that stays."""
    units = [*tenants(2), FleetUnit("tenant/a", "remove"), FleetUnit("tenant/b", "remove")]
    needs = {"tenant/a": ("tenant/b", "tenant/t000"), "tenant/t000": ("tenant/t001",), "tenant/t001": ("tenant/b",)}
    waves = plan_waves(units, FleetRules(), dependencies=needs)
    assert waves[-1].units == ("tenant/a", "tenant/b")
    assert waits_for(waves, needs) == {"tenant/b": ("tenant/a",), "tenant/t000": ("tenant/t001",)}


def test_services_wait_for_the_platform() -> None:
    """Nobody has to declare that."""
    waves = plan_waves([FleetUnit("service/a"), FleetUnit("platform")], FleetRules(), dependencies={})
    assert waits_for(waves, {}) == {"service/a": ("platform",)}


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        (
            {"t000": ("t001",), "t001": ("t002",), "t002": ("t000",)},
            "tenant/t000 → tenant/t001 → tenant/t002 → tenant/t000",
        ),
        ({"t001": ("t001",)}, "tenant/t001 → tenant/t001"),
    ],
)
def test_a_circle_is_refused_and_shown(needs: dict[str, tuple[str, ...]], circle: str) -> None:
    """Whoever merely waits for somebody in it is not blamed."""
    with pytest.raises(WavesImpossible, match=circle) as refused:
        plan(tenants(5), FleetRules(), t004=("t001",), **needs)
    assert "take one" in refused.value.next_step


def test_a_unit_that_is_there_twice_is_refused() -> None:
    """It would be delivered twice."""
    with pytest.raises(WavesImpossible, match="tenant/t001"):
        plan([*tenants(2), FleetUnit("tenant/t001", "remove")], FleetRules())


@given(units=unit_lists, rules=rules_of_any_kind, needs=edges, seed=st.integers())
@settings(deadline=None)
def test_everybody_is_in_exactly_one_wave_after_what_they_need(
    units: list[FleetUnit], rules: FleetRules, needs: list[tuple[str, str]], seed: int
) -> None:
    """Whatever the units, rules and dependencies: a partition, in a possible order, the same for any order of input."""
    # Along the alphabet platform, services and tenants never wait for one another in a circle.
    dependencies: dict[str, tuple[str, ...]] = {}
    for first, second in needs:
        if first != second:
            later, earlier = max(first, second), min(first, second)
            dependencies[later] = (*dependencies.get(later, ()), earlier)
    waves = plan_waves(units, rules, dependencies=dependencies)
    order = [unit for wave in waves for unit in wave.units]
    assert sorted(order) == sorted(unit.id for unit in units)
    assert all(wave.units for wave in waves)
    for unit, others in waits_for(waves, dependencies).items():
        assert all(order.index(other) < order.index(unit) for other in others)
    shuffled = random.Random(seed).sample(units, len(units))
    assert plan_waves(shuffled, rules, dependencies=dependencies) == waves
