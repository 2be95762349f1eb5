"""Rules about which service calls which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, environment_file, environment_rule, suggestion


@environment_rule("services.dependency-exists")
def dependencies_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """What a service calls is a service of the same environment."""
    known = {service.name for service in declared.services.services}
    for index, service in enumerate(declared.services.services):
        for place, name in enumerate(service.dependencies):
            if name not in known:
                yield Finding(
                    file=environment_file(environment, "services"),
                    path=f"services[{index}].dependencies[{place}]",
                    what=f"the environment {environment} has no service {name}, on which {service.name} depends",
                    fix=suggestion(name, known - {service.name}, "define it in this file"),
                )


@environment_rule("services.dependency-cycle")
def dependencies_have_no_cycle(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """There is an order in which all services can start."""
    graph = {service.name: service.dependencies for service in declared.services.services}
    places = {service.name: index for index, service in enumerate(declared.services.services)}
    for name in sorted(graph):
        cycle = shortest_cycle(graph, name)
        # Each cycle is found from all of its members; the first by name reports it.
        if cycle is not None and min(cycle) == name:
            place = graph[name].index(cycle[1])
            yield Finding(
                file=environment_file(environment, "services"),
                path=f"services[{places[name]}].dependencies[{place}]",
                what=f"services wait for one another: {' → '.join(cycle)}",
                fix="take one of these dependencies out",
            )


def shortest_cycle(graph: Mapping[str, tuple[str, ...]], start: str) -> tuple[str, ...] | None:
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


def _way_back(came_from: Mapping[str, str], start: str, last: str) -> tuple[str, ...]:
    way = [start, last] if last != start else [start]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    if len(way) == 1:
        way.append(start)
    return tuple(reversed(way))
