"""The Kubernetes objects of a service whose releases take over from one another."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.components.services import routing_manifests
from infra.metadata import Manifest
from infra.render import render_unit
from policies.desired_state import DesiredState, ServiceInputs
from policies.services.releases import at_weight, both_releases, release_id, serving, with_transitions, workload_name
from policies.services.spec import Delivery, DeliveryStep, Route, TopologySpread
from policies.services.spec import Testers as TesterRules
from tests.support.desired import AUTOSCALED, desired_state, platform_unit, service_spec, service_unit
from tests.support.golden import assert_matches_golden

GOLDEN = Path(__file__).parent / "golden"
CADDY = Delivery(strategy="blue-green", gateway="caddy")
SELECTOR = Delivery(strategy="blue-green", gateway="selector")
HTTP_ROUTE = Delivery(
    strategy="canary",
    gateway="gateway-api",
    steps=(DeliveryStep(weight_percent=5, bake_seconds=60),),
    testers=TesterRules(header="x-adx-release", value="green"),
    mirror_percent=10,
    route=Route(gateway_name="public", gateway_namespace="gateways", hostnames=("shop.example.com",)),
)
WAYS = {
    "caddy": (CADDY, CADDY),
    "selector": (SELECTOR, SELECTOR),
    "gateway-api": (HTTP_ROUTE, HTTP_ROUTE),
    "caddy declared": (None, CADDY),
    "selector declared": (None, SELECTOR),
    "gateway-api declared": (None, HTTP_ROUTE),
    "caddy taken out": (CADDY, None),
    "selector taken out": (SELECTOR, None),
    "gateway-api taken out": (HTTP_ROUTE, None),
    "another gateway": (CADDY, HTTP_ROUTE),
}


def state_of(version: str, delivery: Delivery | None, commit: str = "a" * 40, **changes: Any) -> DesiredState:
    """A state with the service ``cart`` in a version."""
    spec = service_spec(version=version, delivery=delivery, **changes)
    unit = msgspec.structs.replace(service_unit("test", spec, LOG_LEVEL=version), commit=commit)
    return desired_state("test", platform_unit(), unit)


def way(before: Delivery | None, after: Delivery | None, **changes: Any) -> list[DesiredState]:
    """Every state from version 1 in service to version 2 alone."""
    old, new = state_of("v1", before, **changes), state_of("v2", after, commit="b" * 40, **changes)
    begun = with_transitions(new, old, ["cart"])
    return [old, begun, at_weight(begun, "cart", 100), new]


def cart_inputs(state: DesiredState) -> ServiceInputs:
    """The inputs of the service."""
    inputs = state.by_id()["service/cart"].inputs
    assert isinstance(inputs, ServiceInputs)
    return inputs


def rendered(state: DesiredState) -> dict[tuple[str, str], Manifest]:
    """The objects of the service by kind and name."""
    bodies = render_unit(state.by_id()["service/cart"])
    found = {(body["kind"], body["metadata"]["name"]): body for body in bodies}
    assert len(found) == len(bodies)
    return found


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of labels (a Service's, or the form with expressions) selects pods with ``labels``."""
    expressions = selector.get("matchExpressions", []) if "matchLabels" in selector else []
    wanted = selector.get("matchLabels", selector)
    is_excluded = any(one["operator"] == "DoesNotExist" and one["key"] in labels for one in expressions)
    return wanted.items() <= labels.items() and not is_excluded


def pods_by_workload(objects: dict[tuple[str, str], Manifest]) -> dict[str, dict[str, str]]:
    """The labels of the pods of each Deployment."""
    return {
        name: body["spec"]["template"]["metadata"]["labels"]
        for (kind, name), body in objects.items()
        if kind == "Deployment"
    }


@pytest.mark.parametrize(
    ("golden", "delivery"), [("releases_by_http_route", HTTP_ROUTE), ("releases_by_selector", SELECTOR)]
)
def test_two_releases_match_their_golden_file(golden: str, delivery: Delivery) -> None:
    """The manifests of a service on its way are exactly those that were accepted."""
    begun = way(delivery, delivery, replicas=None, autoscaling=AUTOSCALED)[1]
    state = at_weight(begun, "cart", 0, is_mirrored=delivery is HTTP_ROUTE)
    assert_matches_golden(render_unit(state.by_id()["service/cart"]), GOLDEN / f"{golden}.yaml")


@pytest.mark.parametrize("name", WAYS)
def test_the_address_always_leads_to_a_release_that_is_known_to_be_ready(name: str) -> None:
    """In each state of the way, the Service selects pods of the serving Deployment, which the state before had too."""
    states = way(*WAYS[name])
    for before, state in pairwise(states):
        objects, served = rendered(state), workload_name(serving(cart_inputs(state)))
        assert selects(objects["Service", "cart"]["spec"]["selector"], pods_by_workload(objects)[served])
        assert served in pods_by_workload(rendered(before))


@pytest.mark.parametrize("name", WAYS)
def test_the_old_release_is_not_touched_until_it_goes(name: str) -> None:
    """In each state of the way that has the old Deployment, it and its configuration are word for word the same."""
    states = way(*WAYS[name])
    kept = workload_name(cart_inputs(states[0]))
    wanted = {("Deployment", kept), ("ConfigMap", f"{kept}-configuration")}
    for state in states[:3]:
        assert {key: rendered(state)[key] for key in wanted} == {key: rendered(states[0])[key] for key in wanted}
    assert not wanted & rendered(states[3]).keys()


@pytest.mark.parametrize("name", WAYS)
def test_no_pod_has_two_disruption_budgets(name: str) -> None:
    """Kubernetes evicts no pod that two budgets select, so a drain would wait for ever."""
    for state in way(*WAYS[name]):
        budgets = [body for (kind, _), body in rendered(state).items() if kind == "PodDisruptionBudget"]
        for labels in pods_by_workload(rendered(state)).values():
            assert [selects(body["spec"]["selector"], labels) for body in budgets].count(True) == 1


@pytest.mark.parametrize("delivery", [SELECTOR, HTTP_ROUTE])
def test_callers_within_the_cluster_stay_with_the_old_release(delivery: Delivery) -> None:
    """Given a gateway that decides by the Service or beside it, the address has pods of one release only."""
    old, begun, moved, _ = way(delivery, delivery)
    for state, release in ((begun, cart_inputs(old)), (moved, cart_inputs(moved))):
        selector = rendered(state)["Service", "cart"]["spec"]["selector"]
        chosen = [name for name, labels in pods_by_workload(rendered(state)).items() if selects(selector, labels)]
        assert chosen == [f"cart-{release_id(release)}"]


def test_behind_caddy_the_address_has_all_pods() -> None:
    """Given Caddy, which looks for instances itself, the Service is for those that go round it."""
    begun = way(CADDY, CADDY)[1]
    selector = rendered(begun)["Service", "cart"]["spec"]["selector"]
    assert all(selects(selector, labels) for labels in pods_by_workload(rendered(begun)).values())


def test_a_route_divides_by_weight_sends_testers_to_the_new_release_and_copies_to_it() -> None:
    """Given 5 per cent and copies, the HTTPRoute names both releases' Services, the testers' header and the mirror."""
    begun = way(HTTP_ROUTE, HTTP_ROUTE)[1]
    state = at_weight(begun, "cart", 5, is_mirrored=True)
    green, blue = map(workload_name, both_releases(cart_inputs(state)))
    objects = rendered(state)
    testers, everybody = objects["HTTPRoute", "cart"]["spec"]["rules"]

    assert {backend["name"]: backend["weight"] for backend in everybody["backendRefs"]} == {green: 5, blue: 95}
    assert everybody["filters"][0]["requestMirror"]["backendRef"]["name"] == green
    assert everybody["filters"][0]["requestMirror"]["percent"] == 10
    assert testers["matches"][0]["headers"] == [{"type": "Exact", "name": "x-adx-release", "value": "green"}]
    assert [backend["name"] for backend in testers["backendRefs"]] == [green]
    for name in (green, blue):
        assert objects["Service", name]["spec"]["selector"].items() <= pods_by_workload(objects)[name].items()
        ports = [port["port"] for port in objects["Service", name]["spec"]["ports"]]
        assert all(backend["port"] in ports for backend in everybody["backendRefs"])


def test_a_release_alone_has_a_route_with_everything() -> None:
    """Given one release, the HTTPRoute gives it all requests, without testers or copies."""
    state = state_of("v1", HTTP_ROUTE)
    rules = rendered(state)["HTTPRoute", "cart"]["spec"]["rules"]
    assert [backend["weight"] for backend in rules[0]["backendRefs"]] == [100]
    assert len(rules) == 1
    assert "filters" not in rules[0]


def test_a_pod_is_told_its_release() -> None:
    """Given delivery, pods carry the release as a label and as a variable, which are the same."""
    state = state_of("v1", CADDY)
    name = workload_name(cart_inputs(state))
    template = rendered(state)["Deployment", name]["spec"]["template"]
    variables = {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}
    assert template["metadata"]["labels"]["adx/release"] == variables["ADX_RELEASE"] == name.removeprefix("cart-")


def test_the_longest_name_of_a_service_leaves_room_for_its_releases() -> None:
    """Given a name of 40 characters, every object of a release has a name that Kubernetes accepts."""
    spec = service_spec("a" * 40, delivery=HTTP_ROUTE)
    names = [body["metadata"]["name"] for body in render_unit(service_unit("test", spec, KEY="value"))]
    assert max(map(len, names)) == 63


def test_scaling_spreading_and_disruption_are_as_declared() -> None:
    """Given targets, a window, zones and a bound, each stands in its object; the digest stands behind the tag."""
    scaling = msgspec.structs.replace(AUTOSCALED, target_memory_percent=75, scale_down_stabilization_seconds=60)
    zones = TopologySpread(topology_key="zone", max_skew=2, when_unsatisfiable="DoNotSchedule")
    digest = "sha256:" + "0" * 64
    changes: dict[str, Any] = {"autoscaling": scaling, "topology_spread": (zones,), "max_unavailable": 2}
    objects = rendered(state_of("v1", None, replicas=None, image_digest=digest, **changes))
    autoscaler = objects["HorizontalPodAutoscaler", "cart"]["spec"]
    pod = objects["Deployment", "cart"]["spec"]["template"]["spec"]
    (constraint,) = pod["topologySpreadConstraints"]

    assert {
        one["resource"]["name"]: one["resource"]["target"]["averageUtilization"] for one in autoscaler["metrics"]
    } == {
        "cpu": 60,
        "memory": 75,
    }
    assert autoscaler["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 60}}
    assert (constraint["topologyKey"], constraint["maxSkew"], constraint["whenUnsatisfiable"]) == (
        "zone",
        2,
        "DoNotSchedule",
    )
    assert objects["PodDisruptionBudget", "cart"]["spec"]["maxUnavailable"] == 2
    assert pod["containers"][0]["image"] == f"registry.example/shop/cart:v1@{digest}"


@pytest.mark.parametrize("name", ["selector", "gateway-api", "selector declared", "gateway-api taken out"])
def test_what_a_shift_applies_is_all_that_differs_between_two_weights(name: str) -> None:
    """Given both releases, moving all requests changes just the objects that a shift applies."""
    _, begun, moved, _ = way(*WAYS[name])
    before, after = rendered(begun), rendered(moved)
    shifted = routing_manifests(moved.by_id()["service/cart"], cart_inputs(moved))
    differing = {key for key in after if after[key] != before.get(key)}

    assert before.keys() == after.keys()
    assert differing == {(body["kind"], body["metadata"]["name"]) for body in shifted}
    assert all(after[body["kind"], body["metadata"]["name"]] == body for body in shifted)
