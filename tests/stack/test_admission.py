"""The local API server refuses what a real one refuses: tenants can be tried out here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.codecs import from_dict
from lightkube.resources.core_v1 import Namespace, Pod

from tests.support.local_stack import LocalStack
from tests.support.waiting import wait_until

_HARMLESS: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def tenant(local_stack: LocalStack) -> Iterator[Client]:
    """A client in a new namespace that enforces the restricted profile and allows one CPU."""
    name = f"tenant-{uuid.uuid4().hex[:8]}"
    config = KubeConfig.from_file(str(local_stack.kubeconfig)).get(context_name=local_stack.kube_context)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with Client(config=config, namespace=name) as client:
        client.create(_object("Namespace", {"name": name, "labels": labels}))
        client.create(_object("ServiceAccount", {"name": "web", "namespace": name}))
        quota = {"hard": {"limits.cpu": "1"}}
        client.create(_object("ResourceQuota", {"name": "quota", "namespace": name}, spec=quota))
        default = {"limits": [{"type": "Container", "default": {"cpu": "600m"}}]}
        client.create(_object("LimitRange", {"name": "defaults", "namespace": name}, spec=default))
        # Admission looks into a cache of its own, which knows the quota a moment later than whoever asks for it.
        wait_until(lambda: _refusal_of_a_greedy_pod(client), lambda said: "exceeded quota" in said)
        yield client
        client.delete(Namespace, name)


def test_privileged_pod_is_refused_by_the_restricted_profile(tenant: Client) -> None:
    """PodSecurity reads the namespace's label."""
    with pytest.raises(ApiError, match="violates PodSecurity"):
        tenant.create(_pod(tenant, "bad", {**_HARMLESS, "privileged": True, "allowPrivilegeEscalation": True}))


def test_pod_beyond_the_quota_is_refused(tenant: Client) -> None:
    """The first pod gets the default limit, the second one would exceed the quota with it."""
    first = tenant.create(_pod(tenant, "first", _HARMLESS))
    assert tenant.get(Pod, "first").spec.containers[0].resources.limits == {"cpu": "600m"}
    assert first.metadata.name == "first"
    with pytest.raises(ApiError, match="exceeded quota"):
        tenant.create(_pod(tenant, "second", _HARMLESS))


def _refusal_of_a_greedy_pod(tenant: Client) -> str:
    try:
        tenant.create(_pod(tenant, "greedy", _HARMLESS, resources={"limits": {"cpu": "2"}}), dry_run=True)
    except ApiError as error:
        return str(error)
    return ""


def _pod(tenant: Client, name: str, security: dict[str, Any], **more: Any) -> Any:
    container = {"name": "web", "image": "registry.example/web:v1", "securityContext": security, **more}
    spec = {"serviceAccountName": "web", "containers": [container]}
    return _object("Pod", {"name": name, "namespace": tenant.namespace}, spec=spec)


def _object(kind: str, metadata: dict[str, Any], **more: Any) -> Any:
    return from_dict({"apiVersion": "v1", "kind": kind, "metadata": metadata, **more})
