"""Rules about which service calls which, and which versions of them go together."""

from __future__ import annotations

from collections.abc import Iterator

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, environment_file, environment_rule, suggestion
from policies.services.order import cycles, way
from policies.services.ranges import FORMS, Range, RangeRefused, parse_range
from policies.services.spec import ServiceSpec
from policies.services.versions import release_of


@environment_rule("services.dependency-exists")
def dependencies_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """What a service calls is a service of the same environment."""
    known = {service.name for service in declared.services.services}
    for index, service in enumerate(declared.services.services):
        for place, name in enumerate(service.dependencies):
            if name not in known:
                what = f"the environment {environment} has no service {name}, on which {service.name} depends"
                fix = suggestion(name, known - {service.name}, "define it in this file")
                yield _finding(environment, f"services[{index}].dependencies[{place}]", what, fix)


@environment_rule("services.dependency-cycle")
def dependencies_have_no_cycle(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """There is an order in which all services can start."""
    graph = {service.name: service.dependencies for service in declared.services.services}
    places = {service.name: index for index, service in enumerate(declared.services.services)}
    for cycle in cycles(graph):
        first, second = cycle[:2]
        path = f"services[{places[first]}].dependencies[{graph[first].index(second)}]"
        what = f"services wait for one another: {way(cycle)}"
        yield _finding(environment, path, what, "take one of these dependencies out")


@environment_rule("services.dependency-range")
def ranges_can_be_met(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A range is of a dependency, can be read, and there can be versions in it."""
    for path, service, name, text in _wanted(declared):
        if name not in service.dependencies:
            what = f"{service.name} says which versions of {name} it works with, but does not depend on it"
            fix = suggestion(name, service.dependencies, f"add {name} to dependencies")
            yield _finding(environment, path, what, fix)
        try:
            is_possible = parse_range(text).is_possible()
        except RangeRefused as error:
            yield _finding(environment, path, f"{text!r} is no range of versions: {error}", FORMS)
            continue
        if not is_possible:
            what = f"no version can be in the range {text!r}"
            yield _finding(environment, path, what, "write || between alternatives, or correct the bounds")


@environment_rule("services.dependency-version")
def dependencies_fit(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """What a service calls has a version that it works with, as declared together for this environment."""
    known = {service.name: service for service in declared.services.services}
    for path, service, name, text in _wanted(declared):
        wanted, callee = _readable(text), known.get(name)
        # What is missing or unreadable is said by the rules for that.
        if wanted is None or callee is None:
            continue
        found = release_of(callee)
        if found is None:
            what = f"{service.name} works with {text} of {name}, whose version {callee.version} is no semantic version"
            yield _finding(environment, path, what, f"say which one it is: semantic_version of {name}")
        elif not wanted.allows(found):
            what = f"{service.name} works with {text} of {name}, but {environment} declares {name} {found}"
            fix = f"declare a {name} in that range, or a {service.name} that works with {found}"
            yield _finding(environment, path, what, fix)


def _wanted(declared: EnvironmentDeclarations) -> Iterator[tuple[str, ServiceSpec, str, str]]:
    """Place, service, the service it depends on, and the range of every range."""
    for index, service in enumerate(declared.services.services):
        for name, text in service.dependency_versions.items():
            yield f"services[{index}].dependency_versions.{name}", service, name, text


def _readable(text: str) -> Range | None:
    """The range; None when it cannot be read or met."""
    try:
        found = parse_range(text)
    except RangeRefused:
        return None
    return found if found.is_possible() else None


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "services"), path=path, what=what, fix=fix)
