"""The kinds that ADX makes, and where the API server keeps their objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One kind that ADX makes, and where the API server keeps all objects of it.

    ``is_custom``: not every cluster knows it, and one that does not has no object of it.
    """

    kind: str
    api_version: str
    path: str
    is_custom: bool = False


KINDS = (
    Kind("Namespace", "v1", "/api/v1/namespaces"),
    Kind("ServiceAccount", "v1", "/api/v1/serviceaccounts"),
    Kind("ConfigMap", "v1", "/api/v1/configmaps"),
    Kind("Service", "v1", "/api/v1/services"),
    Kind("Deployment", "apps/v1", "/apis/apps/v1/deployments"),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "/apis/autoscaling/v2/horizontalpodautoscalers"),
    Kind("PodDisruptionBudget", "policy/v1", "/apis/policy/v1/poddisruptionbudgets"),
    Kind("ResourceQuota", "v1", "/api/v1/resourcequotas"),
    Kind("LimitRange", "v1", "/api/v1/limitranges"),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "/apis/networking.k8s.io/v1/networkpolicies"),
    Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "/apis/gateway.networking.k8s.io/v1/httproutes", is_custom=True),
)


ALL_KINDS = frozenset(kind.kind for kind in KINDS)
_PATHS = {kind.kind: kind.path for kind in KINDS}


def path_of(body: Mapping[str, Any]) -> str:
    """The path of the one object that ``body``, a manifest of one of KINDS, describes."""
    metadata = body["metadata"]
    group, _, plural = _PATHS[body["kind"]].rpartition("/")
    namespace = metadata.get("namespace")
    where = f"{group}/namespaces/{quote(namespace, safe='')}" if namespace else group
    return f"{where}/{plural}/{quote(metadata['name'], safe='')}"
