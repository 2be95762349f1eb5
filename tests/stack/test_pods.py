"""How the local cluster plays pods: ready, unless the image's tag declares a failure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Namespace, Pod

from tests.support.local_stack import LocalStack
from tests.support.waiting import wait_until


@pytest.fixture
def cluster(local_stack: LocalStack) -> Iterator[Client]:
    """A client whose namespace is this test's own."""
    name = f"pods-{uuid.uuid4().hex[:8]}"
    config = KubeConfig.from_file(str(local_stack.kubeconfig)).get(context_name=local_stack.kube_context)
    with Client(config=config, namespace=name) as client:
        client.create(from_dict({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        yield client
        client.delete(Namespace, name)


def test_pods_of_an_ordinary_image_become_ready(cluster: Client) -> None:
    """Also when a folder of the image is called broken: only the tag counts."""
    _deploy(cluster, "registry.example:5000/app-broken/web:v1")
    deployment = wait_until(lambda: _deployment(cluster), lambda found: found.status.availableReplicas == 2)
    assert deployment.status.unavailableReplicas in (None, 0)


def test_pods_of_a_broken_tag_crash_again_and_again(cluster: Client) -> None:
    """As a kubelet reports it: running, restarted, waiting to be restarted, never ready."""
    _deploy(cluster, "registry.example/web:v2-broken")
    pods = wait_until(
        lambda: list(cluster.list(Pod)), lambda found: len(found) == 2 and all(map(_waiting_reason, found))
    )
    assert {_waiting_reason(pod) for pod in pods} == {"CrashLoopBackOff"}
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert {pod.status.containerStatuses[0].restartCount for pod in pods} == {3}
    assert _deployment(cluster).status.availableReplicas in (None, 0)


def test_pods_of_a_missing_tag_wait_for_their_image(cluster: Client) -> None:
    """As a kubelet reports it: pending, the image cannot be pulled."""
    _deploy(cluster, "registry.example/web:v3-missing")
    pods = wait_until(
        lambda: list(cluster.list(Pod)), lambda found: len(found) == 2 and all(map(_waiting_reason, found))
    )
    assert {_waiting_reason(pod) for pod in pods} == {"ImagePullBackOff"}
    assert {pod.status.phase for pod in pods} == {"Pending"}


def test_deployment_is_mended_by_going_back_to_the_good_image(cluster: Client) -> None:
    """Which is what a rollback does."""
    _deploy(cluster, "registry.example/web:v2-broken")
    wait_until(lambda: list(cluster.list(Pod)), lambda found: len(found) == 2 and all(map(_waiting_reason, found)))
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:v1"}]}}}}
    cluster.patch(Deployment, "web", image)
    mended = wait_until(lambda: _deployment(cluster), lambda found: found.status.availableReplicas == 2)
    assert mended.spec.template.spec.containers[0].image == "registry.example/web:v1"


def _deploy(cluster: Client, image: str) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web", "namespace": cluster.namespace}
    cluster.create(from_dict({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}))


def _deployment(cluster: Client) -> Any:
    return cluster.get(Deployment, "web")


def _waiting_reason(pod: Any) -> str | None:
    statuses = pod.status.containerStatuses or []
    return statuses[0].state.waiting.reason if statuses and statuses[0].state.waiting else None
