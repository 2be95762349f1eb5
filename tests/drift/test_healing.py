"""Which objects are put back, and how: what others own, what is going away and what is of no unit is left alone."""

from __future__ import annotations

import pytest

from policies.masking import Masker
from tests.drift.objects import STATE, Cluster, Json, applied
from workflows.drift.compare import AppliedObject
from workflows.drift.healing import HealPlan, ObjectHeal, heal_plan
from workflows.drift.look import Seen

CART = "Deployment/shop-test/cart"
SEARCH = "Deployment/shop-test/search"
NAMESPACE = next(id_ for id_, one in applied(STATE).items() if id_.startswith("Namespace/") and "tenant" in one.unit)
TENANT = applied(STATE)[NAMESPACE].unit
CONFIGURATION = "ConfigMap/shop-test/cart-configuration"


def planned(cluster: Cluster, units: list[str] | None = None, leave_to: tuple[str, ...] = ()) -> HealPlan:
    """The plan for the shop as ``cluster`` has it."""
    seen = Seen(applied(STATE), dict(cluster.objects), Masker())
    return heal_plan(seen, units, leave_to)


def only(plan: HealPlan) -> ObjectHeal:
    """The one object that is put back."""
    (heal,) = plan.heals
    return heal


def test_nothing_is_put_back_where_nothing_drifted() -> None:
    assert planned(Cluster()) == HealPlan(())


def test_what_is_changed_is_applied_whole_and_what_was_added_is_taken_off() -> None:
    """A value overwritten needs no removal; a variable and an annotation that somebody added do."""
    cluster = Cluster()
    container = cluster.container(CART)
    container["image"] = "evil"
    container.setdefault("env", []).append({"name": "EXTRA", "value": "1"})
    cluster.objects[CART]["metadata"]["annotations"]["a/b~c"] = "x"
    owned: Json = {"f:containers": {'k:{"name":"cart"}': {"f:image": {}, "f:env": {'k:{"name":"EXTRA"}': {}}}}}
    cluster.own(CART, {"f:spec": {"f:template": {"f:spec": owned}}, "f:metadata": {"f:annotations": {"f:a/b~c": {}}}})

    heal = only(planned(cluster))

    assert heal.unit == "service/cart"
    assert heal.body == applied(STATE)[CART].body
    number = len(container["env"]) - 1
    assert heal.removals == (
        f"/spec/template/spec/containers/0/env/{number}",
        "/metadata/annotations/a~1b~0c",
    )


def test_later_items_of_a_list_are_taken_off_first() -> None:
    """Else removing one would move the next, and something else would go."""
    cluster = Cluster()
    env = cluster.container(CART).setdefault("env", [])
    first = len(env)
    env += [{"name": f"EXTRA{number}", "value": "1"} for number in range(11)]
    owned: Json = {f'k:{{"name":"EXTRA{number}"}}': {} for number in range(11)}
    cluster.own(CART, {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"cart"}': {"f:env": owned}}}}}})

    numbers = [int(pointer.rpartition("/")[2]) for pointer in only(planned(cluster)).removals]

    assert numbers == list(range(first + 10, first - 1, -1))


def test_what_is_missing_is_made_again_namespaces_first() -> None:
    """In a namespace that is not there nothing can be made."""
    cluster = Cluster()
    for id_ in (NAMESPACE, CONFIGURATION):
        del cluster.objects[id_]

    heals = planned(cluster).heals

    assert [heal.id for heal in heals] == [NAMESPACE, CONFIGURATION]
    assert [heal.live for heal in heals] == [None, None]


def test_only_the_units_that_were_asked_for_are_put_back() -> None:
    """A unit that drifted since has no snapshot."""
    cluster = Cluster()
    cluster.objects[CONFIGURATION]["data"] = {}
    cluster.objects[NAMESPACE]["metadata"]["labels"].clear()

    assert planned(cluster, [TENANT]).units == (TENANT,)
    assert planned(cluster).units == ("service/cart", TENANT)


def test_an_object_of_no_unit_is_never_touched() -> None:
    """It was never delivered, so nobody knows what it is for."""
    cluster = Cluster()
    stray: Json = {"kind": "ConfigMap", "metadata": {"name": "left", "namespace": "shop-test", "labels": {}}}
    cluster.objects["ConfigMap/shop-test/left"] = stray

    assert planned(cluster).heals == ()


@pytest.mark.parametrize("manager", ["kube-controller-manager", "keda-operator"])
def test_replicas_that_an_autoscaler_has_set_are_left_alone(manager: str) -> None:
    """Told, with who it is; and not taken over when something else of the workload is put back."""
    cluster = Cluster()
    cluster.objects[CART]["spec"]["replicas"] = 7
    cluster.own(CART, {"f:spec": {"f:replicas": {}}}, manager=manager, subresource="scale")

    plan = planned(cluster, leave_to=("keda-operator",))
    cluster.container(CART)["image"] = "evil"
    both = only(planned(cluster, leave_to=("keda-operator",)))

    assert plan == HealPlan((), (f"{CART}: set by {manager}, whose fields are left alone",))
    assert "replicas" not in both.body["spec"]
    assert both.body["spec"]["template"] == applied(STATE)[CART].body["spec"]["template"]


def test_replicas_that_a_person_has_scaled_are_put_back() -> None:
    """`kubectl scale` uses the same subresource as autoscalers."""
    cluster = Cluster()
    cluster.objects[CART]["spec"]["replicas"] = 7
    cluster.own(CART, {"f:spec": {"f:replicas": {}}}, manager="kubectl", subresource="scale")

    assert only(planned(cluster)).body["spec"]["replicas"] == applied(STATE)[CART].body["spec"]["replicas"]


def test_replicas_of_a_scaled_workload_are_never_taken_off() -> None:
    """The API server would make one of them."""
    cluster = Cluster()
    del cluster.objects["HorizontalPodAutoscaler/shop-test/search"]
    cluster.objects[SEARCH]["spec"]["replicas"] = 7
    cluster.own(SEARCH, {"f:spec": {"f:replicas": {}}}, manager="somebody")

    heals = {heal.id: heal for heal in planned(cluster).heals}

    assert heals[SEARCH].removals == ()


def test_what_somebody_added_in_whose_name_fields_are_left_stays() -> None:
    """An operator's annotation beside a value that a person changed: only the latter goes."""
    cluster = Cluster()
    cluster.objects[CONFIGURATION]["data"]["EXTRA"] = "1"
    cluster.objects[CONFIGURATION]["data"]["HAND"] = "1"
    cluster.own(CONFIGURATION, {"f:data": {"f:EXTRA": {}}}, manager="operator")
    cluster.own(CONFIGURATION, {"f:data": {"f:HAND": {}}}, manager="somebody")

    assert only(planned(cluster, leave_to=("operator",))).removals == ("/data/HAND",)


def test_what_is_being_deleted_is_left_until_it_is_gone() -> None:
    """The API server refuses to make anything in a namespace that goes away."""
    cluster = Cluster()
    cluster.objects[CONFIGURATION]["data"] = {}
    cluster.objects[CONFIGURATION]["metadata"]["deletionTimestamp"] = "2026-01-31T09:05:00Z"

    assert planned(cluster).left == (f"{CONFIGURATION}: is being deleted",)


def test_a_secret_that_only_the_engine_can_read_is_not_put_back() -> None:
    """What the engine keeps of it is not the value."""
    mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
    known = applied(STATE)
    body = {**known[CONFIGURATION].body, "data": mark}
    known[CONFIGURATION] = AppliedObject(unit="service/cart", body=body)

    plan = heal_plan(Seen(known, dict(Cluster().objects), Masker()), None, ())

    assert plan.heals == ()
    assert plan.left == (f"{CONFIGURATION}: holds a secret that only the engine can read",)
