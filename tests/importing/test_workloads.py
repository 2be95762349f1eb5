"""What belongs together, what of it can be declared, and all that is said about a small namespace."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pipelines.importing.model import Contents
from pipelines.importing.pods import writable_paths_of
from pipelines.importing.scaling import budget_of
from pipelines.importing.workloads import Workload, main_container, workloads_of
from tests.importing.objects import LABELS, Json, container_with, deployment, named, objects, proposed, service_of


def workload(*more: Json, pods: tuple[Json, ...] = ()) -> Workload:
    """The one workload of a namespace with ``more`` in it."""
    of: dict[str, tuple[Json, ...]] = {"Deployment": (deployment(),)}
    for item in more:
        of[item["kind"]] = (*of.get(item["kind"], ()), item)
    return workloads_of(Contents("shop", of, pods=pods))[0]


def address(name: str) -> Json:
    """A Service of the sample's pods."""
    return named("Service", name, spec={"selector": LABELS, "ports": [{"port": 80}]})


@pytest.mark.parametrize(
    ("services", "name", "chosen"),
    [
        ([], "cart", None),
        (["basket"], "basket", "basket"),
        (["basket", "cart"], "cart", "cart"),
        (["basket", "trolley"], "cart", None),
    ],
)
def test_a_service_is_called_as_others_dial_it(services: list[str], name: str, chosen: str | None) -> None:
    """Where one address alone is its own; of several the one of its name."""
    found = workload(*map(address, services))

    assert found.name == name
    assert (found.service["metadata"]["name"] if found.service else None) == chosen


@pytest.mark.parametrize(("running", "digest"), [(["a"], "a"), (["a", "a"], "a"), (["a", "b"], None), ([], None)])
def test_a_digest_counts_where_all_pods_run_it(running: list[str], digest: str | None) -> None:
    """In the middle of a change they do not."""
    pods = tuple(
        {
            "metadata": {"labels": LABELS},
            "status": {"containerStatuses": [{"name": "cart", "imageID": f"shop/cart@sha256:{letter * 64}"}]},
        }
        for letter in running
    )

    assert workload(pods=pods).digest == (f"sha256:{digest * 64}" if digest else None)


@pytest.mark.parametrize(
    ("spec", "pods", "expected"),
    [
        ({"minAvailable": 1}, 2, {"min_available": 1}),
        ({"minAvailable": 2}, 2, {}),
        ({"minAvailable": "50%"}, 4, {}),
        ({"maxUnavailable": 2}, 4, {"max_unavailable": 2}),
        ({"maxUnavailable": 1}, 4, {}),
        ({"maxUnavailable": 1}, 1, {"max_unavailable": 1}),
        ({"maxUnavailable": 0}, 4, {}),
    ],
)
def test_a_budget_is_declared_where_it_leaves_room_for_a_drain(spec: Json, pods: int, expected: Json) -> None:
    """One of several down is what ADX says by itself."""
    budget = named("PodDisruptionBudget", "cart", spec={"selector": {"matchLabels": LABELS}, **spec})

    assert budget_of(workload(budget), pods) == expected


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({}, ["/tmp"]),
        ({"readOnly": True}, []),
        ({"subPath": "x"}, []),
        ({"mountPath": "/a/../b"}, []),
    ],
)
def test_an_empty_folder_of_its_own_is_a_writable_path(change: Json, paths: list[str]) -> None:
    """Whole, writable, and not shared with a sidecar."""
    body = deployment()
    main_container(body)["volumeMounts"][0] |= change
    assert writable_paths_of(body, main_container(body)) == paths

    sidecar = {"name": "s", "volumeMounts": [{"name": "scratch", "mountPath": "/s"}]}
    body["spec"]["template"]["spec"]["containers"].append(sidecar)
    assert writable_paths_of(body, main_container(body)) == []


def test_a_guessed_limit_is_never_below_the_request() -> None:
    """Nor a guessed request above the limit."""
    resources: Any = {"requests": {"cpu": "2"}, "limits": {"memory": "32Mi"}}
    found = service_of(proposed(container_with(resources=resources)))["resources"]

    assert found == {"requests": {"cpu": "2", "memory": "32Mi"}, "limits": {"cpu": "2", "memory": "32Mi"}}


def test_all_that_is_said_about_a_namespace_that_fits() -> None:
    """Nothing is lost but labels; the rest is ADX's way of running things."""
    of = copy.deepcopy(objects())
    of["Deployment"]["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    said: dict[str, set[str]] = {}
    for row in proposed(of).rows:
        said.setdefault(row.kind, set()).add(f"{row.object} {row.field or row.path}".strip())

    pod = "Deployment/cart spec.template.spec"
    assert said == {
        "lost": {"Deployment/cart metadata.labels", "Deployment/cart spec.template.metadata.labels"},
        "guessed": {"Deployment/cart services.cart.description", "Namespace/shop description", "Namespace/shop region"},
        "changed": {"Deployment/cart spec.selector"},
        "added": {
            "ConfigMap/feature-flags",
            "Deployment/cart spec.revisionHistoryLimit",
            "Deployment/cart spec.strategy",
            f"{pod}.automountServiceAccountToken",
            f"{pod}.containers[cart].securityContext",
            f"{pod}.enableServiceLinks",
            f"{pod}.securityContext",
            f"{pod}.serviceAccountName",
            f"{pod}.topologySpreadConstraints[kubernetes.io/hostname]",
            "Namespace/shop metadata.labels",
            "NetworkPolicy/default-deny",
            "NetworkPolicy/environment-access",
            "Service/cart spec.ports[80/TCP].name",
            "ServiceAccount/cart automountServiceAccountToken",
        },
    }
