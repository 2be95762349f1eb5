"""Services found through EndpointSlices, of a real API server where it is asked."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from lightkube import Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.resources.core_v1 import Namespace, Service
from lightkube.resources.discovery_v1 import EndpointSlice

from tests.services.registry.conftest import until_none, until_ports
from tests.support.local_stack import LocalStack
from workflows.clients.kubernetes.errors import ClusterRefused
from workflows.clients.kubernetes.watching import Watches
from workflows.services.registry import (
    Discovery,
    Endpoint,
    EndpointSliceRegistry,
    HttpCheck,
    RegistrationRefused,
    Registry,
    ServiceRegistration,
)
from workflows.services.registry.in_endpoint_slices import by_service, instances_of

Json = dict[str, Any]


def one_slice(name: str, *endpoints: Json, port: int = 8080, labels: dict[str, str] | None = None) -> Json:
    """A slice of the Service ``cart``."""
    own = {"kubernetes.io/service-name": "cart", "app.kubernetes.io/name": "cart"} | (labels or {})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": own},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def endpoint(address: str, **conditions: bool) -> Json:
    return {"addresses": [address], "conditions": conditions}


def addresses(*slices: Json, port: str | None = None) -> list[str]:
    return sorted(instance.address for instance in instances_of("cart", slices, port=port))


def test_only_what_is_ready_and_not_ending_is_found() -> None:
    found = addresses(
        one_slice(
            "cart-1",
            endpoint("10.1.0.1", ready=True),
            endpoint("10.1.0.2"),  # unknown means ready
            endpoint("10.1.0.3", ready=False),
            endpoint("10.1.0.4", ready=True, terminating=True),
            {"addresses": [], "conditions": {"ready": True}},
        )
    )
    assert found == ["10.1.0.1", "10.1.0.2"]


def test_an_endpoint_in_several_slices_is_one_and_knows_its_release() -> None:
    green = one_slice("cart-9f-1", endpoint("10.1.0.1"), labels={"adx/release": "9f2c01ab"})
    found = instances_of(
        "cart", [one_slice("cart-1", endpoint("10.1.0.1")), green, one_slice("z", endpoint("10.1.0.1"))]
    )
    assert [(one.address, one.port, one.release) for one in found] == [("10.1.0.1", 8080, "9f2c01ab")]


def test_the_port_may_be_chosen_and_must_be_there() -> None:
    two = one_slice("cart-1", endpoint("10.1.0.1"))
    two["ports"].insert(0, {"name": "metrics", "port": 9090})
    assert [one.port for one in instances_of("cart", [two])] == [9090]
    assert [one.port for one in instances_of("cart", [two], port="http")] == [8080]
    assert addresses(two, port="grpc") == []
    assert addresses(two | {"ports": None}) == []


class Hand:
    """Writes to one namespace of the cluster."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def apply(self, body: Json) -> None:
        self.client.apply(from_dict(body), field_manager="test", force=True)

    def delete(self, name: str) -> None:
        self.client.delete(EndpointSlice, name)


@pytest.fixture
def hand(local_stack: LocalStack) -> Iterator[Hand]:
    name = f"registry-{uuid.uuid4().hex[:8]}"
    config = KubeConfig.from_file(str(local_stack.kubeconfig)).get(context_name=local_stack.kube_context)
    with Client(config=config, namespace=name) as client:
        client.create(from_dict({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        yield Hand(client, name)
        client.delete(Namespace, name)


@pytest.fixture
async def watches(local_stack: LocalStack) -> AsyncIterator[Watches]:
    made = await Watches.connect(str(local_stack.kubeconfig), local_stack.kube_context, environ={})
    yield made
    await made.close()


async def test_slices_come_change_and_go(hand: Hand, watches: Watches) -> None:
    registry: Registry = EndpointSliceRegistry(watches, hand.namespace)
    async with Discovery(registry) as discovery:
        assert "none is registered" in str(await until_none(discovery, "cart"))
        picker = await discovery.picker("cart")
        hand.apply(one_slice("cart-1", endpoint("10.1.0.1", ready=True), labels={"adx/release": "9f2c01ab"}))
        hand.apply(one_slice("cart-2", endpoint("10.1.0.2", ready=True), port=8081))
        await until_ports(picker, 8080, 8081)
        assert (await discovery.discover_service("cart", release="9f2c01ab")).address == "10.1.0.1"
        hand.apply(one_slice("cart-1", endpoint("10.1.0.1", ready=False)))
        await until_ports(picker, 8081)
        hand.delete("cart-2")
        assert "none is registered" in str(await until_none(discovery, "cart"))


async def test_slices_of_the_cluster_s_own_controller_say_their_release(hand: Hand, watches: Watches) -> None:
    labels = {"app.kubernetes.io/name": "cart", "adx/release": "9f2c01ab", "app.kubernetes.io/version": "1.4.2"}
    spec = {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    hand.client.create(
        from_dict({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "labels": labels}, "spec": spec})
    )
    template = {
        "metadata": {"labels": {"app": "cart"}},
        "spec": {"containers": [{"name": "main", "image": "registry.example/cart:1.4.2"}]},
    }
    workload = {"replicas": 2, "selector": {"matchLabels": {"app": "cart"}}, "template": template}
    hand.client.create(
        from_dict({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart"}, "spec": workload})
    )
    async with Discovery(EndpointSliceRegistry(watches, hand.namespace, selector=by_service)) as discovery:
        await until_none(discovery, "other")
        picker = await discovery.picker("cart", release="9f2c01ab", version="1.4.2")
        await until_ports(picker, 8080, 8080)
        assert all(instance.id.startswith("cart-") for instance in picker.instances())
        hand.client.delete(Service, "cart")
        await until_none(discovery, "cart")


async def test_a_quiet_watch_gives_signs_of_life(hand: Hand, watches: Watches) -> None:
    """Else what is known would count as too old."""
    registry = EndpointSliceRegistry(watches, hand.namespace)
    answers = registry.watch("cart", every_seconds=1)
    assert [await anext(answers) for _ in range(3)] == [(), (), ()]
    await answers.aclose()


async def test_what_a_cluster_cannot_keep_is_refused(watches: Watches) -> None:
    registry = EndpointSliceRegistry(watches, "default")
    asked = ServiceRegistration(
        name="cart", version="1", endpoints=(Endpoint("http", "10.1.0.1", 80),), health_check=HttpCheck()
    )
    await registry.register(asked)
    with pytest.raises(RegistrationRefused, match="no tenants and no weight"):
        await registry.register(
            ServiceRegistration(
                name="cart", version="1", endpoints=asked.endpoints, health_check=HttpCheck(), tenants=("acme",)
            )
        )
    with pytest.raises(ClusterRefused):
        await anext(registry.watch("not a label", every_seconds=1))
