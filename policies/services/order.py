"""In which order services can start, and where none exists. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from policies.errors import AdxError

Graph = Mapping[str, tuple[str, ...]]


class DependencyCycle(AdxError):
    """Services wait for one another; ``cycle`` is the way round, both ends included."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(f"services wait for one another: {way(cycle)}", next_step="take one of these dependencies out")
        self.cycle = cycle


def start_stages(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The names of ``graph`` in stages: what a service depends on is in an earlier stage than itself.

    ``graph`` has the dependencies of each service; a dependency that is no
    service of it takes no part. Each stage is sorted by name. Raises
    DependencyCycle with the shortest way round.
    """
    sorter = TopologicalSorter({name: [one for one in needs if one in graph] for name, needs in graph.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise DependencyCycle(min(cycles(graph), key=lambda cycle: (len(cycle), cycle))) from error
    stages = []
    while sorter.is_active():
        ready = sorter.get_ready()
        stages.append(tuple(sorted(ready)))
        sorter.done(*ready)
    return tuple(stages)


def way(cycle: tuple[str, ...]) -> str:
    """A cycle as people read it: ``a → b → a``."""
    return " → ".join(cycle)


def cycles(graph: Graph) -> Iterator[tuple[str, ...]]:
    """A shortest cycle through every service that is in one, each cycle once; it begins with its first by name."""
    told: set[tuple[str, ...]] = set()
    for name in sorted(graph):
        cycle = shortest_cycle(graph, name)
        if cycle is None:
            continue
        turned = _from_first(cycle)
        if turned not in told:
            told.add(turned)
            yield turned


def shortest_cycle(graph: Graph, start: str) -> tuple[str, ...] | None:
    """The shortest way from ``start`` back to itself, both ends included; None when there is none."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for dependency in graph.get(name, ()):
            if dependency == start:
                return _way_back(came_from, start, name)
            if dependency not in came_from:
                came_from[dependency] = name
                waiting.append(dependency)
    return None


def _from_first(cycle: tuple[str, ...]) -> tuple[str, ...]:
    round_ = cycle[:-1]
    first = round_.index(min(round_))
    return (*round_[first:], *round_[: first + 1])


def _way_back(came_from: Mapping[str, str], start: str, last: str) -> tuple[str, ...]:
    found = [start, last] if last != start else [start]
    while found[-1] != start:
        found.append(came_from[found[-1]])
    if len(found) == 1:
        found.append(start)
    return tuple(reversed(found))
