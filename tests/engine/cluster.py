"""Reads the real cluster, independently of the code under test."""

from __future__ import annotations

import contextlib
from typing import Any

from lightkube import ApiError, Client, KubeConfig
from lightkube.core.resource import NamespacedResource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.resources.core_v1 import ConfigMap, LimitRange, Namespace, ResourceQuota, Service, ServiceAccount
from lightkube.resources.networking_v1 import NetworkPolicy
from lightkube.resources.policy_v1 import PodDisruptionBudget

from infra.engine import EngineSettings

KINDS: tuple[type[NamespacedResource], ...] = (
    ConfigMap, Deployment, HorizontalPodAutoscaler, LimitRange, NetworkPolicy, PodDisruptionBudget, ResourceQuota,
    Service, ServiceAccount,
)  # fmt: skip


class Cluster:
    """The objects of one environment, found by ADX's labels."""

    def __init__(self, settings: EngineSettings, environment: str) -> None:
        config = KubeConfig.from_file(settings.kubeconfig)
        self.client = Client(config=config.get(context_name=settings.kube_context), field_manager="test")
        self.labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": environment}

    def objects(self) -> dict[str, Any]:
        """Every living object: ``Kind namespace/name`` → the object."""
        found: dict[str, Any] = {}
        for namespace in self.client.list(Namespace, labels=self.labels):
            if namespace.metadata.deletionTimestamp is None:
                found[f"Namespace {namespace.metadata.name}"] = namespace
        for kind in KINDS:
            for body in self.client.list(kind, namespace="*", labels=self.labels):
                found[f"{kind.__name__} {body.metadata.namespace}/{body.metadata.name}"] = body
        return found

    def remove_namespaces(self) -> None:
        """Begin to remove everything of the environment."""
        for namespace in self.client.list(Namespace, labels=self.labels):
            with contextlib.suppress(ApiError):  # the test removed it, and it has gone since it was listed
                self.client.delete(Namespace, namespace.metadata.name)


def identities(manifests: list[dict[str, Any]]) -> set[str]:
    """The same keys for rendered manifests."""
    return {
        f"{body['kind']} {body['metadata'].get('namespace', '')}/{body['metadata']['name']}".replace(" /", " ")
        for body in manifests
    }
