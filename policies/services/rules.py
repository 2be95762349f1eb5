"""What must hold of an environment's services that their JSON Schema cannot say.

How services depend on one another is in :mod:`policies.services.dependencies`
and :mod:`policies.services.api_versions`, how new releases take over in
:mod:`policies.services.delivery_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, repeated, suggestion
from policies.quantities import quantity
from policies.services import api_versions, delivery_rules
from policies.services.dependencies import (
    dependencies_exist,
    dependencies_fit,
    dependencies_have_no_cycle,
    ranges_can_be_met,
)
from policies.services.spec import ProbeAction, ServiceSpec

_DOCUMENT = "services"
_MOVING_TAGS = frozenset({"main", "master", "head", "stable", "edge", "nightly", "dev", "develop", "snapshot"})
_SMALLEST = {"cpu": "1m", "memory": "4Mi"}
_LARGEST = {"cpu": "256", "memory": "2Ti"}


@environment_rule("services.environment-matches-folder")
def environment_matches_folder(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The document says which environment it is of, and that is its folder's."""
    if declared.services.environment != environment:
        what = f"the document is for {declared.services.environment}, its folder is {environment}"
        yield _finding(environment, "environment", what, f"write {environment}")


@environment_rule("services.unique-name")
def names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No service is defined twice."""
    for index, name, first in repeated(service.name for service in declared.services.services):
        what = f"the service {name} is already defined as services[{first}]"
        yield _finding(environment, f"services[{index}].name", what, "merge the two, or rename one of them")


@environment_rule("services.unique-port")
def ports_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Within a service, port names and the numbers that callers dial are used once."""
    for path, service in _services(declared):
        for index, name, first in repeated(port.name for port in service.ports):
            what = f"the port name {name} of {service.name} is already taken by ports[{first}]"
            yield _finding(environment, f"{path}.ports[{index}].name", what, "give each port a name of its own")
        for index, number, first in repeated(str(port.port) for port in service.ports):
            what = f"the port {number} of {service.name} is already taken by ports[{first}]"
            yield _finding(environment, f"{path}.ports[{index}].port", what, "give each port a number of its own")


@environment_rule("services.replicas-or-autoscaling")
def replicas_or_autoscaling(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Either the number of pods is fixed, or load decides."""
    for path, service in _services(declared):
        if (service.replicas is None) == (service.autoscaling is None):
            both = (
                "both replicas and autoscaling" if service.replicas is not None else "neither replicas nor autoscaling"
            )
            fix = "set exactly one of replicas and autoscaling"
            yield _finding(environment, path, f"the service {service.name} has {both}", fix)


@environment_rule("services.autoscaling-range")
def autoscaling_range_is_in_order(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The least number of pods is not above the greatest."""
    for path, service in _services(declared):
        scaling = service.autoscaling
        if scaling is not None and scaling.min_replicas > scaling.max_replicas:
            what = (
                f"min_replicas of {service.name} is {scaling.min_replicas}, above max_replicas {scaling.max_replicas}"
            )
            fix = f"write at most {scaling.max_replicas}, or raise max_replicas"
            yield _finding(environment, f"{path}.autoscaling.min_replicas", what, fix)


@environment_rule("services.requests-within-limits")
def requests_are_within_limits(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No container is promised more than it may use."""
    for path, service in _services(declared):
        for field in ("cpu", "memory"):
            request: str = getattr(service.resources.requests, field)
            limit: str = getattr(service.resources.limits, field)
            if quantity(request) > quantity(limit):
                what = f"{service.name} requests {request} of {field}, above its limit of {limit}"
                fix = f"write at most {limit}, or raise the limit"
                yield _finding(environment, f"{path}.resources.requests.{field}", what, fix)


@environment_rule("services.resource-bounds")
def resources_are_plausible(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """An amount is one that a container can start with and a node can have."""
    for path, service in _services(declared):
        for kind in ("requests", "limits"):
            for field in ("cpu", "memory"):
                amount: str = getattr(getattr(service.resources, kind), field)
                if not quantity(_SMALLEST[field]) <= quantity(amount) <= quantity(_LARGEST[field]):
                    what = f"{service.name} has {amount} of {field} in its {kind}"
                    fix = f"write an amount from {_SMALLEST[field]} to {_LARGEST[field]}"
                    yield _finding(environment, f"{path}.resources.{kind}.{field}", what, fix)


@environment_rule("services.min-available")
def min_available_leaves_room(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A node can be drained: fewer pods must stay than there are."""
    for path, service in _services(declared):
        pods = service.autoscaling.min_replicas if service.autoscaling is not None else service.replicas
        if service.min_available is not None and pods is not None and service.min_available >= pods:
            what = f"min_available of {service.name} is {service.min_available}, but it runs {pods} pod(s) at least"
            fix = f"write at most {pods - 1}" if pods > 1 else "leave min_available out, or run more pods"
            yield _finding(environment, f"{path}.min_available", what, fix)


@environment_rule("services.max-unavailable")
def one_bound_of_disruption(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Kubernetes knows either how many pods stay up or how many may be down."""
    for path, service in _services(declared):
        if service.min_available is not None and service.max_unavailable is not None:
            what = f"the service {service.name} has both min_available and max_unavailable"
            yield _finding(environment, f"{path}.max_unavailable", what, "leave one of the two out")


@environment_rule("services.topology-spread")
def spread_once_by_label(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """One label of nodes has one rule: two could not both hold."""
    for path, service in _services(declared):
        for index, key, first in repeated(spread.topology_key for spread in service.topology_spread):
            what = f"pods of {service.name} are already spread over {key} by topology_spread[{first}]"
            place = f"{path}.topology_spread[{index}].topology_key"
            yield _finding(environment, place, what, "merge the two, or name another label of nodes")


@environment_rule("services.probe-port")
def probes_ask_known_ports(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A probe asks a port that the service has."""
    for path, service in _services(declared):
        known = [port.name for port in service.ports]
        for probe_path, probe in _probes(path, service):
            if probe.port not in known:
                what = f"the service {service.name} has no port {probe.port}"
                yield _finding(
                    environment, f"{probe_path}.port", what, suggestion(probe.port, known, "name a port of it")
                )


@environment_rule("services.probe-action")
def probes_ask_one_way(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A probe asks in exactly one way, and sends headers only where there are any."""
    for path, service in _services(declared):
        for probe_path, probe in _probes(path, service):
            ways = [probe.http_path is not None, probe.grpc, probe.tcp].count(True)
            if ways != 1:
                what = f"this probe of {service.name} asks in {ways} ways"
                yield _finding(environment, probe_path, what, "set exactly one of http_path, grpc and tcp")
            elif probe.http_headers and probe.http_path is None:
                what = f"this probe of {service.name} has headers, but does not ask by HTTP"
                yield _finding(environment, f"{probe_path}.http_headers", what, "leave them out, or set http_path")


@environment_rule("services.flag-exists")
def flags_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A flag that a service reads is declared in the environment."""
    known = {flag.name for flag in declared.flags.flags}
    for path, service in _services(declared):
        for index, flag in enumerate(service.feature_flags):
            if flag not in known:
                what = f"the environment {environment} has no flag {flag}, which {service.name} reads"
                fix = suggestion(flag, known, "declare it in flags.yaml")
                yield _finding(environment, f"{path}.feature_flags[{index}]", what, fix)


@environment_rule("services.version-fixed")
def versions_are_fixed(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A version names one image for ever, or restoring it would restore something else."""
    for path, service in _services(declared):
        if service.image_digest is not None:
            continue
        tag = service.version.lower()
        # main-3f2a1b0 is one build, latest-alpine another one every week.
        if tag in _MOVING_TAGS or "latest" in re.split("[._-]", tag):
            what = f"the version {service.version} of {service.name} is a tag that moves"
            yield _finding(
                environment,
                f"{path}.version",
                what,
                "write the tag of one release, such as v1.4.2, or its image_digest",
            )


def _services(declared: EnvironmentDeclarations) -> Iterator[tuple[str, ServiceSpec]]:
    for index, service in enumerate(declared.services.services):
        yield f"services[{index}]", service


def _probes(path: str, service: ServiceSpec) -> Iterator[tuple[str, ProbeAction]]:
    probes = service.probes
    for kind, probe in (("readiness", probes.readiness), ("liveness", probes.liveness), ("startup", probes.startup)):
        if probe is not None:
            yield f"{path}.probes.{kind}", probe


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, _DOCUMENT), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    environment_matches_folder,
    names_are_unique,
    ports_are_unique,
    dependencies_exist,
    dependencies_have_no_cycle,
    ranges_can_be_met,
    dependencies_fit,
    *api_versions.RULES,
    replicas_or_autoscaling,
    autoscaling_range_is_in_order,
    requests_are_within_limits,
    resources_are_plausible,
    min_available_leaves_room,
    one_bound_of_disruption,
    spread_once_by_label,
    probes_ask_known_ports,
    probes_ask_one_way,
    flags_exist,
    versions_are_fixed,
    *delivery_rules.RULES,
)
