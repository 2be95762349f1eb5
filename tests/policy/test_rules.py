"""What ADX's own checks look for, decided without checkov."""

from __future__ import annotations

import pytest

from policies.checkov.images import why_image_is_mutable
from policies.checkov.manifests import is_cluster_scoped, pod_spec
from policies.checkov.rules import replicas_out_of_bounds
from policies.checkov.surroundings import Bounds, Surroundings, surroundings_of


@pytest.mark.parametrize(
    "image",
    [
        "shop/cart:v1.2.3",
        "registry.example:5000/shop/cart:2026-11-24",
        "redis:7.4.2-alpine",
        "shop/cart@sha256:" + "a" * 64,
        "shop/cart:latest@sha256:" + "a" * 64,
        "shop/cart:release-1.4",
        "shop/cart:9f8e7d6",
    ],
)
def test_an_image_that_stays_is_accepted(image: str) -> None:
    """Versions, dates, commits and digests name one image for ever."""
    assert why_image_is_mutable(image) is None


@pytest.mark.parametrize(
    "image",
    [
        "shop/cart",
        "registry.example:5000/shop/cart",
        "shop/cart:",
        "shop/cart:latest",
        "shop/cart:Latest",
        "shop/cart:main",
        "shop/cart:feature-checkout",
        "shop/cart:feature_login",
        "shop/cart:ours",
        "shop/cart@md5:abc",
    ],
)
def test_an_image_that_may_move_is_refused(image: str) -> None:
    """No tag, latest, branches and words without a version are another image tomorrow."""
    assert why_image_is_mutable(image)


def _deployment(replicas: int) -> dict[str, object]:
    return {"kind": "Deployment", "spec": {"replicas": replicas}}


@pytest.mark.parametrize(
    ("before", "after", "is_allowed"),
    [
        (10, 15, True),
        (10, 16, False),
        (10, 5, True),
        (10, 4, False),
        (1, 2, True),
        (1, 3, False),
        (None, 12, True),
        (None, 21, False),
        (20, 21, False),
        (4, 4, True),
        (4, 0, False),
    ],
)
def test_replicas_move_in_steps_and_stay_below_the_most(before: int | None, after: int, is_allowed: bool) -> None:
    """With steps of 50 % and at most 20: one more or less is always allowed, a new service only has a most."""
    known = Surroundings(bounds=Bounds(50, 20), delivered_replicas=before)
    assert replicas_out_of_bounds(_deployment(after), known) == [] or not is_allowed
    assert bool(replicas_out_of_bounds(_deployment(after), known)) is not is_allowed


def test_without_bounds_replicas_concern_nobody() -> None:
    """Nothing is said, neither good nor bad."""
    assert replicas_out_of_bounds(_deployment(500), Surroundings(delivered_replicas=1)) is None


def test_an_autoscaler_is_judged_by_its_most_and_by_its_fewest() -> None:
    """The most must be allowed, the fewest may not jump."""
    scaler = {"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 9, "maxReplicas": 30}}
    lines = replicas_out_of_bounds(scaler, Surroundings(bounds=Bounds(50, 20), delivered_replicas=3))
    assert lines is not None
    assert [line.split(",")[0] for line in lines] == ["30 replicas", "from 3 to 9 replicas"]


def test_whose_an_object_is_comes_from_the_stamp_and_not_from_its_labels() -> None:
    """A label is part of what is judged."""
    manifest = {
        "kind": "ConfigMap",
        "metadata": {"labels": {"adx/unit": "service.cart"}},
        "x-adx": {"unit": "tenant/acme", "environment": "test"},
    }
    known = surroundings_of(manifest, {"environments": {"test": {"region": "eu-west-1", "max_replicas": 3}}})
    assert (known.tenant, known.region, known.bounds) == ("acme", "eu-west-1", Bounds(None, 3))


def test_pods_are_found_in_every_workload() -> None:
    """Deployments, pods and scheduled jobs keep them in different places; a ConfigMap has none."""
    pod = {"containers": []}
    template = {"template": {"spec": pod}}
    assert pod_spec({"kind": "Pod", "spec": pod}) == pod
    assert pod_spec({"kind": "Deployment", "spec": template}) == pod
    assert pod_spec({"kind": "CronJob", "spec": {"jobTemplate": {"spec": template}}}) == pod
    assert pod_spec({"kind": "PodTemplate", **template}) == pod
    assert pod_spec({"kind": "ConfigMap", "data": {}}) is None


@pytest.mark.parametrize("kind", ["ClusterRole", "Namespace", "StorageClass", "ClusterPolicy", "Node"])
def test_kinds_that_the_whole_cluster_sees_are_known(kind: str) -> None:
    """Kinds that begin with Cluster count, whoever defined them."""
    assert is_cluster_scoped({"kind": kind})
    assert not is_cluster_scoped({"kind": "ConfigMap"})
