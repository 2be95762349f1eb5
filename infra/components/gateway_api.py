"""How an HTTPRoute divides the requests of a service between its releases. Pure.

Kubernetes Gateway API v1, standard channel (https://gateway-api.sigs.k8s.io/reference/spec/):
weights, matches of headers and mirroring by per cent are in it; session
persistence is in its experimental channel alone, and so not here.

Belongs to the system ``services``; apart from it only so that both stay small.
"""

from __future__ import annotations

from infra.metadata import SKIP_AWAIT, Manifest, manifest, release_manifest, release_selector
from policies.desired_state import ServiceInputs, Unit
from policies.services.releases import both_releases, delivery_of, release_id, split_of
from policies.services.routing import Split
from policies.services.spec import Route, ServiceSpec

COMPONENT = "services"


def release_service(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """What the route names a release by: an address of its pods alone; None when it listens on nothing."""
    if not inputs.service.ports:
        return None
    ports = [
        {"name": port.name, "port": port.port, "targetPort": port.name, "protocol": "TCP"}
        for port in inputs.service.ports
    ]
    spec = {"type": "ClusterIP", "selector": release_selector(unit), "ports": ports}
    return release_manifest(
        unit, COMPONENT, "v1", "Service", inputs.service.name, release_id(inputs),
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec=spec,
    )  # fmt: skip


def http_route(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """The route of the service: testers first, then everybody by weight."""
    route, split = delivery_of(inputs).route, split_of(inputs)
    if route is None:
        raise ValueError(f"{inputs.service.name} has no route")  # refused by services.delivery-route
    backends = {
        release_id(one): backend(inputs.service.name, release_id(one), route_port(one.service, route))
        for one in both_releases(inputs)
        if one.service.ports
    }
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": route.gateway_name,
        "namespace": route.gateway_namespace,
    }
    spec: Manifest = {"parentRefs": [parent], "rules": [*testers_rules(split, backends), everybody(split, backends)]}
    if route.hostnames:
        spec["hostnames"] = list(route.hostnames)
    return manifest(
        unit, COMPONENT, "gateway.networking.k8s.io/v1", "HTTPRoute", inputs.service.name,
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def testers_rules(split: Split, backends: dict[str, Manifest]) -> list[Manifest]:
    """Requests of testers, to one release."""
    testers = split.testers
    if testers is None or testers.release not in backends:
        return []
    header = {"type": "Exact", "name": testers.header, "value": testers.value}
    only = backends[testers.release] | {"weight": 1}
    return [{"matches": [every_path() | {"headers": [header]}], "backendRefs": [only]}]


def everybody(split: Split, backends: dict[str, Manifest]) -> Manifest:
    """All other requests, by weight; copies of them where the split has any."""
    shares = {release: split.weights[release] for release in sorted(backends)}
    rule: Manifest = {
        "matches": [every_path()],
        "backendRefs": [backends[release] | {"weight": weight} for release, weight in shares.items()],
    }
    if split.mirror is not None and split.mirror.release in backends:
        mirror = {"backendRef": backends[split.mirror.release], "percent": split.mirror.percent}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
    return rule


def every_path() -> Manifest:
    """What all requests match, as the API server would fill it in."""
    return {"path": {"type": "PathPrefix", "value": "/"}}


def backend(service: str, release: str, port: int) -> Manifest:
    """The address of a release, as routes name it."""
    return {"group": "", "kind": "Service", "name": f"{service}-{release}", "port": port}


def route_port(spec: ServiceSpec, route: Route) -> int:
    """The number of the port that requests go to: the route's, else that of the readiness probe, else the first."""
    readiness = spec.probes.readiness
    name = route.port or (readiness.port if readiness is not None else "")
    numbers = {port.name: port.port for port in spec.ports}
    return numbers.get(name, spec.ports[0].port)
