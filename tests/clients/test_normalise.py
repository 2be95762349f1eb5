"""What counts as a change of a live object, for any object: pure."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workflows.clients.kubernetes.normalise import digests_by_unit, normalise, object_id, unit_of
from workflows.clients.kubernetes.workloads import selector_text, status_of

Json = dict[str, Any]

words = st.text("abcdefghij", min_size=1, max_size=6)
values = st.recursive(st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner, max_size=3))
objects = st.fixed_dictionaries(
    {
        "apiVersion": st.just("v1"),
        "kind": st.sampled_from(["Deployment", "ConfigMap", "Service", "Namespace"]),
        "metadata": st.fixed_dictionaries(
            {"name": words, "namespace": words, "labels": st.dictionaries(words, words, max_size=3)}
        ),
        "data": st.dictionaries(words, values, max_size=3),
        "spec": st.dictionaries(words, values, max_size=3),
    }
)


@given(objects, values, words)
def test_what_servers_change_by_themselves_is_no_change(item: Json, value: Any, word: str) -> None:
    moved = copy.deepcopy(item)
    moved["status"] = {"anything": value}
    for field in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "finalizers"):
        moved["metadata"][field] = value
    moved["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": word}

    assert normalise(moved) == normalise(item)


@given(objects, words, words)
def test_anything_else_is_a_change(item: Json, key: str, value: str) -> None:
    for place in ("labels", "annotations"):
        changed = copy.deepcopy(item)
        changed["metadata"].setdefault(place, {})[f"{key}-new"] = value
        assert normalise(changed) != normalise(item)
    for place in ("data", "spec"):
        changed = copy.deepcopy(item)
        changed[place][f"{key}-new"] = value
        assert normalise(changed) != normalise(item)


@given(st.lists(objects, max_size=5, unique_by=object_id), st.randoms())
def test_the_order_of_a_list_does_not_matter(items: list[Json], random: Any) -> None:
    shuffled = copy.deepcopy(items)
    random.shuffle(shuffled)

    assert digests_by_unit(shuffled) == digests_by_unit(items)


def test_an_object_that_is_being_deleted_is_changed() -> None:
    item = {"kind": "Namespace", "metadata": {"name": "acme"}}
    ending = {"kind": "Namespace", "metadata": {"name": "acme", "deletionTimestamp": "2026-06-01T00:00:00Z"}}

    assert normalise(ending) != normalise(item)


def test_units_are_read_from_labels() -> None:
    def labelled(labels: dict[str, str] | None) -> Json:
        return {"kind": "ConfigMap", "metadata": {"name": "x", "labels": labels}}

    assert unit_of(labelled({"adx/unit": "service.cart"})) == "service/cart"
    assert unit_of(labelled({"adx/unit": "platform"})) == "platform"
    assert unit_of(labelled({"adx/unit": "tenant.a.b"})) == "tenant/a.b"
    assert unit_of(labelled(None)) == ""


def test_a_declaration_the_controller_has_not_seen_is_neither_ready_nor_failed() -> None:
    status = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}
    stale = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    deployment = {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status | {"conditions": [stale]}}

    found = status_of(deployment)

    assert not found.observed
    assert not found.is_ready
    assert found.failure is None


def test_old_replicas_that_are_left_are_not_ready_yet() -> None:
    status = {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 3, "replicas": 3}

    found = status_of({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": status})

    assert found.outdated == 1
    assert not found.is_ready


def test_selectors_are_written_as_the_api_takes_them() -> None:
    expressions = [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "NotIn", "values": ["z"]},
        {"key": "c", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"},
    ]

    text = selector_text({"matchLabels": {"app": "web"}, "matchExpressions": expressions})

    assert text == "app=web,a in (x,y),b notin (z),c,!d"
