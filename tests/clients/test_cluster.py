"""What is read from a real API server."""

from __future__ import annotations

from typing import Any

import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, ResourceQuota, Service

from tests.clients.conftest import Hand, until
from tests.support.http_route import HTTP_ROUTE  # noqa: F401 - importing it lets lightkube create one
from tests.support.waiting import wait_until
from workflows.clients.kubernetes import Cluster, WorkloadStatus
from workflows.clients.kubernetes.cluster import KINDS
from workflows.clients.kubernetes.errors import ClusterRefused, ClusterUnreachable, ObjectNotFound

GOOD, CRASHES, MISSING = ("registry.example/web:" + tag for tag in ("v1", "v2-broken", "v3-missing"))

# One object of every kind that ADX makes, apart from the namespace and the Deployment.
OTHERS: dict[str, dict[str, Any]] = {
    "ServiceAccount": {},
    "ConfigMap": {"data": {"key": "value"}},
    "Service": {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    "HorizontalPodAutoscaler": {
        "api_version": "autoscaling/v2",
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 4,
        },
    },
    "PodDisruptionBudget": {"api_version": "policy/v1", "spec": {"minAvailable": 1}},
    "ResourceQuota": {"spec": {"hard": {"pods": "50"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "NetworkPolicy": {"api_version": "networking.k8s.io/v1", "spec": {"podSelector": {}}},
    "HTTPRoute": {"api_version": "gateway.networking.k8s.io/v1", "spec": {"hostnames": ["shop.example.com"]}},
}


async def test_the_server_says_its_version(cluster: Cluster) -> None:
    assert (await cluster.version()).startswith("v1.")


async def test_every_kind_is_found_by_its_labels_and_says_what_it_is(cluster: Cluster, hand: Hand) -> None:
    _create_everything(hand)

    found = await cluster.live_objects(f"adx/environment={hand.namespace}")

    assert sorted(item["kind"] for item in found) == sorted(kind.kind for kind in KINDS)
    assert all(item["apiVersion"] and item["metadata"]["name"] for item in found)


async def test_objects_without_the_labels_are_not_ours(cluster: Cluster, hand: Hand) -> None:
    hand.client.create(ConfigMap(metadata=ObjectMeta(name="theirs"), data={}))

    found = await cluster.live_digests(hand.namespace)

    assert found.keys() == {"platform"}


async def test_more_objects_than_a_page_are_all_found(
    cluster: Cluster, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.clients.kubernetes.connection.PAGE_OBJECTS", 3)
    for number in range(8):
        hand.create("ConfigMap", f"page-{number}", data={})

    found = await cluster.live_digests(hand.namespace)

    assert len(found["service/web"]) == 8


async def test_an_untouched_cluster_reads_the_same_while_its_servers_go_on(cluster: Cluster, hand: Hand) -> None:
    """Between the reads pods become ready, controllers write status and annotations, versions move on."""
    _create_everything(hand)
    before = await cluster.live_digests(hand.namespace)

    await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda status: status.is_ready)

    assert await cluster.live_digests(hand.namespace) == before
    assert before.keys() == {"platform", "service/web"}
    assert f"Deployment/{hand.namespace}/web" in before["service/web"]


async def test_only_the_object_that_was_changed_reads_differently(cluster: Cluster, hand: Hand) -> None:
    _create_everything(hand)
    before = await cluster.live_digests(hand.namespace)

    hand.client.patch(ConfigMap, "configmap", {"data": {"key": "other"}})

    after = await cluster.live_digests(hand.namespace)
    assert _differing(before["service/web"], after["service/web"]) == {f"ConfigMap/{hand.namespace}/configmap"}


async def test_a_change_that_was_taken_back_reads_as_before(cluster: Cluster, hand: Hand) -> None:
    _create_everything(hand)
    before = await cluster.live_digests(hand.namespace)

    for image in (CRASHES, GOOD):
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
        hand.client.patch(Deployment, "web", patch)
    hand.client.delete(Service, "service")
    hand.create("Service", "service", **OTHERS["Service"])

    assert await cluster.live_digests(hand.namespace) == before


async def test_replicas_count_only_where_no_autoscaler_moves_them(cluster: Cluster, hand: Hand) -> None:
    hand.deploy(GOOD)
    before = await cluster.live_digests(hand.namespace)
    hand.client.patch(Deployment, "web", {"spec": {"replicas": 3}})
    scaled_by_hand = await cluster.live_digests(hand.namespace)
    hand.create("HorizontalPodAutoscaler", "web", **OTHERS["HorizontalPodAutoscaler"])
    with_autoscaler = await cluster.live_digests(hand.namespace)
    hand.client.patch(Deployment, "web", {"spec": {"replicas": 4}})

    assert scaled_by_hand != before
    assert await cluster.live_digests(hand.namespace) == with_autoscaler


async def test_a_good_image_becomes_ready(cluster: Cluster, hand: Hand) -> None:
    hand.deploy(GOOD)

    status = await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: found.is_ready)

    assert status == WorkloadStatus(desired=2, updated=2, available=2, observed=True)


@pytest.mark.parametrize(("image", "reason"), [(CRASHES, "CrashLoopBackOff"), (MISSING, "ImagePullBackOff")])
async def test_a_bad_image_is_reported_with_reason_and_pod(
    cluster: Cluster, hand: Hand, image: str, reason: str
) -> None:
    hand.deploy(image)

    status = await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: bool(found.failure))

    assert not status.is_ready
    assert status.failure is not None
    assert status.failure.startswith(f"{reason} (container main of pod web-")


async def test_pods_of_the_version_before_are_no_failure_of_this_one(cluster: Cluster, hand: Hand) -> None:
    """The way back from a bad version: its pods still crash while the good one comes up."""
    hand.deploy(CRASHES)
    await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: bool(found.failure))
    seen: list[WorkloadStatus] = []

    async def ask() -> WorkloadStatus:
        seen.append(await cluster.rollout_status(hand.namespace, "web"))
        return seen[-1]

    good = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": GOOD}]}}}}
    hand.client.patch(Deployment, "web", good)
    await until(ask, lambda status: status.is_ready)

    assert [status.failure for status in seen] == [None] * len(seen)


async def test_a_workload_that_cannot_get_pods_fails_at_its_deadline_with_the_cause(
    cluster: Cluster, hand: Hand
) -> None:
    hand.create("ResourceQuota", "none", spec={"hard": {"pods": "0"}})
    # Until the quota's use was counted, pods are refused because it is unknown; what is said first stays.
    wait_until(lambda: hand.client.get(ResourceQuota, "none").status, lambda status: bool(status and status.used))
    hand.deploy(GOOD)
    hand.client.patch(Deployment, "web", {"spec": {"progressDeadlineSeconds": 1}})

    status = await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: bool(found.failure))

    assert status.failure is not None
    assert status.failure.startswith("ProgressDeadlineExceeded")
    assert "exceeded quota" in status.failure


async def test_a_pod_that_no_node_has_room_for_is_waited_for_and_says_so(cluster: Cluster, hand: Hand) -> None:
    """No failure: nodes may come. But a person sees what is waited for."""
    hand.deploy(GOOD, replicas=0)
    huge = [{"name": "main", "image": GOOD, "resources": {"requests": {"cpu": "900"}}}]
    hand.client.patch(Deployment, "web", {"spec": {"replicas": 1, "template": {"spec": {"containers": huge}}}})

    status = await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: bool(found.waiting))

    assert status.waiting.startswith("Unschedulable: 0/3 nodes are available")
    assert not status.is_ready
    assert status.failure is None


async def test_nothing_desired_is_ready(cluster: Cluster, hand: Hand) -> None:
    hand.deploy(GOOD, replicas=0)

    status = await until(lambda: cluster.rollout_status(hand.namespace, "web"), lambda found: found.is_ready)

    assert status.desired == 0


@pytest.mark.parametrize("name", ["nobody", "../secrets/x", "a b?c#d"])
async def test_a_workload_that_is_not_there_is_not_found(cluster: Cluster, hand: Hand, name: str) -> None:
    with pytest.raises(ObjectNotFound):
        await cluster.rollout_status(hand.namespace, name)


async def test_a_selector_that_is_none_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterRefused):
        await cluster.live_objects("=,=")


async def test_a_server_that_is_not_there_is_a_connection_error(tmp_path: Any) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        '{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}], '
        '"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]}'
    )
    async with await Cluster.connect(str(kubeconfig), environ={}) as nobody:
        with pytest.raises(ClusterUnreachable) as caught:
            await nobody.version()
    assert caught.value.next_step


def _create_everything(hand: Hand) -> None:
    hand.deploy(GOOD)
    for kind, body in OTHERS.items():
        hand.create(kind, kind.lower(), **body)


def _differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
