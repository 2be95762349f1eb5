"""In which order services can start. Pure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import strategies as st

from policies.services.order import DependencyCycle, cycles, start_stages
from tests.support.strategies import property_of

names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.lists(names, max_size=3, unique=True).map(tuple), max_size=6)


def test_what_is_called_starts_before_its_callers() -> None:
    """As early as it can, each stage by name."""
    graph = {"frontend": ("checkout", "ads"), "checkout": ("cart",), "cart": ("redis",), "redis": (), "ads": ()}
    assert start_stages(graph) == (("ads", "redis"), ("cart",), ("checkout",), ("frontend",))


def test_what_is_no_service_takes_no_part() -> None:
    """The rule about unknown names tells of it; the order of the others is known all the same."""
    assert start_stages({"b": ("a", "gone"), "a": ()}) == (("a",), ("b",))
    assert start_stages({}) == ()


def test_a_cycle_is_named_as_the_way_round() -> None:
    """The shortest, from the first of its names."""
    graph = {"d": ("a",), "c": ("a", "b"), "b": ("c",), "a": ("b",)}
    with pytest.raises(DependencyCycle, match="b → c → b") as refused:
        start_stages(graph)
    assert refused.value.cycle == ("b", "c", "b")
    assert "take one" in refused.value.next_step


def test_a_service_that_waits_for_itself_is_a_cycle() -> None:
    """The shortest of all."""
    with pytest.raises(DependencyCycle, match="a → a"):
        start_stages({"a": ("a",)})


def test_each_service_in_a_cycle_is_named() -> None:
    """Also one whose cycle is no longer than another one through the same service."""
    graph = {"a": ("b",), "b": ("a", "c"), "c": ("b",), "d": ("c",)}
    assert list(cycles(graph)) == [("a", "b", "a"), ("b", "c", "b")]


@property_of(graphs)
def test_there_is_an_order_exactly_where_there_is_no_cycle(graph: dict[str, tuple[str, ...]]) -> None:
    """And in it every service is there once, after all that it depends on."""
    found = list(cycles(graph))
    if found:
        with pytest.raises(DependencyCycle) as refused:
            start_stages(graph)
        assert refused.value.cycle in found
        return
    stages = start_stages(graph)
    place = {name: number for number, stage in enumerate(stages) for name in stage}
    assert sorted(place) == sorted(graph)
    assert sum(map(len, stages)) == len(graph)
    assert all(place[one] < place[name] for name, needs in graph.items() for one in needs if one in graph)


@property_of(graphs)
def test_a_cycle_is_a_way_round_that_is_told_once(graph: dict[str, tuple[str, ...]]) -> None:
    """Every step is a dependency; it begins with its first name and passes no service twice."""
    found = list(cycles(graph))
    assert len(set(found)) == len(found)
    for cycle in found:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert len(set(cycle[1:])) == len(cycle) - 1
        assert all(after in graph[before] for before, after in pairwise(cycle))
