"""Releases of a service on the real cluster: one takes over from the other, and there is always a pod that answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lightkube import Client
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.discovery_v1 import EndpointSlice

from infra.engine import Engine
from infra.render import render
from policies.desired_state import DesiredState, Unit
from policies.services.releases import at_weight, newest_workloads, with_transitions
from policies.services.spec import Delivery, DeliveryStep, Route
from policies.services.spec import Testers as TesterRules
from tests.engine.cluster import Cluster, identities
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit
from tests.support.http_route import HTTP_ROUTE
from tests.support.waiting import wait_until

BY_SELECTOR = Delivery(strategy="blue-green", gateway="selector")
BY_ROUTE = Delivery(
    strategy="canary",
    gateway="gateway-api",
    steps=(DeliveryStep(weight_percent=5, bake_seconds=60),),
    testers=TesterRules(header="x-adx-release", value="green"),
    mirror_percent=10,
    route=Route(gateway_name="public", gateway_namespace="gateways", hostnames=("shop.example.com",)),
)


async def test_a_release_takes_over_by_an_http_route(engine: Engine, cluster: Cluster, environment: str) -> None:
    """Given a service that runs, when delivery is declared and a new version follows, the cluster has just that."""
    plain, first, second = (
        state_of(environment, service(environment, version, delivery))
        for version, delivery in (("v1", None), ("v1", BY_ROUTE), ("v2", BY_ROUTE))
    )
    declared = with_transitions(first, plain, ["cart"])
    divided = at_weight(with_transitions(second, first, ["cart"]), "cart", 5, is_mirrored=True)
    for state in (plain, declared, at_weight(declared, "cart", 100), first, divided):
        await engine.up(state)
        # The route is of a kind that lightkube does not have, and so not among the objects that it lists.
        known = {name for name in identities(render(state)) if not name.startswith("HTTPRoute ")}
        assert cluster.objects().keys() == known

    route = cluster.client.get(HTTP_ROUTE, "cart", namespace=f"shop-{environment}")
    everybody = route["spec"]["rules"][1]
    old, new = newest_workloads(first)["cart"], newest_workloads(second)["cart"]
    assert {backend["name"]: backend["weight"] for backend in everybody["backendRefs"]} == {old: 95, new: 5}
    assert everybody["filters"][0]["requestMirror"]["percent"] == 10
    assert (await engine.preview(divided)).is_empty


async def test_a_release_that_never_becomes_ready_leaves_the_address_as_it_was(
    engine: Engine, cluster: Cluster, environment: str
) -> None:
    """Given new releases that crash, of services with and without delivery before, both addresses stay served."""
    namespace = f"shop-{environment}"
    base = state_of(environment, service(environment, "v1", BY_SELECTOR), service(environment, "v1", None, "web"))
    broken = state_of(
        environment,
        service(environment, "v2-broken", BY_SELECTOR),
        service(environment, "v2-broken", BY_SELECTOR, "web"),
    )
    begun = with_transitions(broken, base, ["cart", "web"])
    await engine.up(base)
    for name in ("cart", "web"):
        wait_until(partial(ready_pods, cluster.client, namespace, name), lambda count: count == 2)
    with watched(cluster.client, namespace, "cart", "web") as fewest:
        await engine.up(begun)
        for workload in newest_workloads(begun).values():
            wait_until(partial(pods_of, cluster.client, namespace, workload), lambda counts: counts == (2, 0))
        await engine.up(base)

    assert set(fewest) == {2}
    assert cluster.objects().keys() == identities(render(base))


def service(environment: str, version: str, delivery: Delivery | None, name: str = "cart") -> Unit:
    """A service of two pods."""
    return service_unit(environment, service_spec(name, version=version, delivery=delivery), LOG_LEVEL="info")


def state_of(environment: str, *services: Unit) -> DesiredState:
    """The services and their platform."""
    return desired_state(environment, platform_unit(environment), *services)


def pods_of(client: Client, namespace: str, workload: str) -> tuple[int, int]:
    """How many pods the Deployment has, and how many of them are available."""
    status = client.get(Deployment, workload, namespace=namespace).status
    return (status.updatedReplicas or 0, status.availableReplicas or 0) if status else (0, 0)


def ready_pods(client: Client, namespace: str, name: str) -> int:
    """How many ready pods the address ``name`` leads to."""
    slices = client.list(EndpointSlice, namespace=namespace, labels={"kubernetes.io/service-name": name})
    endpoints = [endpoint for one in slices for endpoint in one.endpoints or ()]
    return sum(1 for endpoint in endpoints if endpoint.conditions and endpoint.conditions.ready)


@contextmanager
def watched(client: Client, namespace: str, *names: str) -> Iterator[list[int]]:
    """The ready pods of that address of ``names`` which has the fewest, asked again and again."""
    found, is_over = list[int](), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            found.append(min(ready_pods(client, namespace, name) for name in names))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join(10)
