"""What counts as drift, decided from what was applied and what is live."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.masking import Masker
from policies.services.spec import ResourceAmounts, Resources
from tests.drift.objects import STATE, Cluster, applied
from tests.support.desired import desired_state, service_spec, service_unit
from workflows.drift.compare import drifted
from workflows.drift.fields import field_differences
from workflows.drift.findings import DriftedField, DriftedObject

CANARY = "canary-4d1f-password"
CART, MAP, DENY = (
    "Deployment/shop-test/cart",
    "ConfigMap/shop-test/cart-configuration",
    "NetworkPolicy/shop-test/default-deny",
)
ENV = "spec.template.spec.containers[cart].env"


def found(cluster: Cluster) -> tuple[DriftedObject, ...]:
    """The drift of the cluster."""
    return drifted(applied(), cluster.live(), Masker())


def only(cluster: Cluster) -> dict[str, tuple[str | None, str | None, str]]:
    """Live and delivered value, and who, by path, of the one object that drifted."""
    (one,) = found(cluster)
    assert one.state == "changed"
    return {field.path: (field.live, field.delivered, field.by) for field in one.fields}


def test_an_untouched_cluster_has_no_drift() -> None:
    """Whatever servers note on objects: ids, versions, status, managers."""
    assert found(Cluster()) == ()


def test_what_servers_fill_in_is_no_drift() -> None:
    """Defaults, addresses that were given out, and what controllers report in subresources."""
    cluster = Cluster()
    cluster.container()["terminationMessagePath"] = "/dev/termination-log"
    cluster.objects[CART]["spec"]["paused"] = False
    cluster.objects["Service/shop-test/cart"]["spec"] |= {"clusterIP": "10.0.0.7", "sessionAffinity": "None"}
    cluster.objects[CART]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"
    revision = {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
    cluster.own(CART, revision, manager="kube-controller-manager", subresource="status")

    assert found(cluster) == ()


def test_replicas_that_an_autoscaler_decides_are_no_drift() -> None:
    """The Deployment was applied without a number."""
    cluster = Cluster()
    cluster.objects["Deployment/shop-test/search"]["spec"]["replicas"] = 7
    cluster.own("Deployment/shop-test/search", {"f:spec": {"f:replicas": {}}}, manager="hpa", subresource="scale")

    assert found(cluster) == ()


def test_a_changed_value_is_told_with_what_was_delivered_and_who_changed_it() -> None:
    """Of its unit, with kind, namespace and name."""
    cluster = Cluster()
    cluster.objects[CART]["spec"]["replicas"] = 5
    cluster.own(CART, {"f:spec": {"f:replicas": {}}}, manager="kubectl-scale")

    (one,) = found(cluster)

    assert (one.unit, one.kind, one.namespace, one.name) == ("service/cart", "Deployment", "shop-test", "cart")
    assert one.fields == (DriftedField(path="spec.replicas", live="5", delivered="2", by="kubectl-scale"),)


def test_a_removed_value_is_told_without_a_name() -> None:
    """The API server keeps no book of who removed a field."""
    cluster = Cluster()
    del cluster.objects[MAP]["data"]["LOG_LEVEL"]

    assert only(cluster) == {"data.LOG_LEVEL": (None, '"info"', "")}


def test_false_that_is_gone_is_told() -> None:
    """Unlike what is empty, it means something: the token would be mounted."""
    cluster = Cluster()
    del cluster.objects["ServiceAccount/shop-test/cart"]["automountServiceAccountToken"]

    assert only(cluster) == {"automountServiceAccountToken": (None, "false", "")}


def test_an_added_key_is_told() -> None:
    """Every key of a ConfigMap becomes a variable of the service that reads it."""
    cluster = Cluster()
    cluster.objects[MAP]["data"]["EXTRA"] = "1"
    cluster.own(MAP, {"f:data": {"f:EXTRA": {}}})

    assert only(cluster) == {"data.EXTRA": ('"1"', None, "kubectl-edit")}


def test_variables_are_compared_by_name_wherever_they_stand() -> None:
    """One more at the front does not make all others look changed."""
    cluster = Cluster()
    env = cluster.container()["env"]
    env[:] = [{"name": "EXTRA", "value": "1"}, {"name": "REDIS_ADDR", "value": "other:1"}, *env[1:]]
    names = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:value": {}} for name in ("EXTRA", "REDIS_ADDR")}
    fields = {"f:containers": {'k:{"name":"cart"}': {"f:env": names}}}
    cluster.own(CART, {"f:spec": {"f:template": {"f:spec": fields}}}, manager="kubectl-set")

    assert only(cluster) == {
        f"{ENV}[EXTRA]": ('"1"', None, "kubectl-set"),
        f"{ENV}[REDIS_ADDR]": ('"other:1"', '"redis:6379"', "kubectl-set"),
    }


def test_a_sidecar_is_told_as_one_thing() -> None:
    """It was slipped in beside the declared container."""
    cluster = Cluster()
    sidecar = {"name": "sidecar", "image": "x", "env": [{"name": "API_TOKEN", "value": CANARY}]}
    cluster.objects[CART]["spec"]["template"]["spec"]["containers"].append(sidecar)
    fields = {"f:containers": {'k:{"name":"sidecar"}': {".": {}, "f:image": {}, "f:name": {}, "f:env": {}}}}
    cluster.own(CART, {"f:spec": {"f:template": {"f:spec": fields}}})

    told = only(cluster)

    assert list(told) == ["spec.template.spec.containers[sidecar]"]
    assert CANARY not in repr(told)


def test_a_selector_narrowed_and_a_rule_added_are_told() -> None:
    """An empty selector is every pod, and lists of rules have no names: neither may pass for no change."""
    cluster = Cluster()
    cluster.objects[DENY]["spec"]["podSelector"] = {"matchLabels": {"a": "b"}}
    cluster.own(DENY, {"f:spec": {"f:podSelector": {}}})
    assert only(cluster) == {"spec.podSelector": ('{"matchLabels":{"a":"b"}}', "{}", "kubectl-edit")}

    other = Cluster()
    access = next(id_ for id_ in other.objects if id_.endswith("/declared-access"))
    other.objects[access]["spec"]["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})
    told = only(other)
    assert list(told) == ["spec.egress"]
    assert "0.0.0.0/0" in (told["spec.egress"][0] or "")


def test_a_value_that_another_manager_set_as_it_was_is_no_drift() -> None:
    """Somebody applied the same."""
    cluster = Cluster()
    cluster.own(CART, {"f:spec": {"f:replicas": {}}, "f:metadata": {"f:labels": {"f:adx/owner": {}}}})

    assert found(cluster) == ()


def test_quantities_that_are_written_otherwise_are_equal() -> None:
    """The API server writes 1 for 1000m and 1Gi for 1024Mi; 2 would be another."""
    amounts = ResourceAmounts(cpu="1000m", memory="1024Mi")
    state = desired_state(
        "test", service_unit("test", service_spec(resources=Resources(requests=amounts, limits=amounts)))
    )
    cluster = Cluster(state)
    cluster.container()["resources"] = {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }

    (one,) = drifted(applied(state), cluster.live(), Masker())

    assert [(field.path.rpartition("].")[2], field.live) for field in one.fields] == [("resources.limits.cpu", '"2"')]


def test_an_object_that_is_gone_is_missing_and_one_of_no_unit_is_a_stray() -> None:
    """Strays come last, with the unit that their label claims."""
    cluster = Cluster()
    del cluster.objects[MAP]
    for name, unit in (("old", "tenant.gone"), ("copy", "service.cart")):
        metadata = {"name": name, "namespace": "shop-test", "labels": {"adx/unit": unit}}
        cluster.objects[f"ConfigMap/shop-test/{name}"] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}

    assert [(one.state, one.unit, one.name) for one in found(cluster)] == [
        ("missing", "service/cart", "cart-configuration"),
        ("stray", "service/cart", "copy"),
        ("stray", "tenant/gone", "old"),
    ]


def test_an_object_without_its_labels_is_changed_and_not_missing() -> None:
    """Whoever took the labels off hides it from those who look by label."""
    cluster = Cluster()
    del cluster.objects[CART]["metadata"]["labels"]

    told = only(cluster)

    assert "metadata.labels.adx/unit" in told
    assert all(live is None for live, _, _ in told.values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DB_PASSWORD", CANARY),
        ("settings", json.dumps({"api_key": CANARY})),
        ("URL", f"https://ana:{CANARY}@db/"),
    ],
)
def test_values_that_may_be_secret_are_masked(key: str, value: str) -> None:
    """By key, by shape, and inside documents in a value; that something is there is still told."""
    cluster = Cluster()
    cluster.objects[MAP]["data"][key] = value
    cluster.own(MAP, {"f:data": {f"f:{key}": {}}})

    told = found(cluster)

    assert told[0].fields[0].path == f"data.{key}"
    assert CANARY not in msgspec.json.encode(told).decode()
    assert "•••" in (told[0].fields[0].live or "")


def test_a_variable_and_a_header_are_masked_by_their_names() -> None:
    """Their values stand beside the name, not under it."""
    cluster = Cluster()
    container = cluster.container()
    container["env"].append({"name": "DB_PASSWORD", "value": CANARY})
    env = {'k:{"name":"DB_PASSWORD"}': {".": {}, "f:name": {}, "f:value": {}}}
    fields = {"f:containers": {'k:{"name":"cart"}': {"f:env": env}}}
    cluster.own(CART, {"f:spec": {"f:template": {"f:spec": fields}}})
    container["readinessProbe"]["httpGet"]["httpHeaders"] = [{"name": "Authorization", "value": CANARY}]

    told = found(cluster)

    assert f"{ENV}[DB_PASSWORD]" in {field.path for field in told[0].fields}
    assert CANARY not in msgspec.json.encode(told).decode()


BODIES = [one.body for one in applied(STATE).values()]


@given(st.sampled_from(BODIES), st.data())
def test_any_applied_value_that_is_otherwise_is_found_where_it_is(body: dict[str, Any], data: st.DataObject) -> None:
    """Nothing that was applied can change unseen, at whatever depth; the untouched rest is never told."""
    live = json.loads(json.dumps(body))
    place = live
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
    if key in ("apiVersion", "kind", "name", "namespace") or place[key] in ({}, []):
        assert list(field_differences(body, json.loads(json.dumps(body)))) == []
        return
    place[key] = "something else entirely"

    assert len(list(field_differences(body, live))) == 1
