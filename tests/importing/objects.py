"""A small namespace in memory, as an API server would give it back."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from pipelines.importing.documents import Existing
from pipelines.importing.model import Contents
from pipelines.importing.proposal import Proposal
from pipelines.importing.propose import propose
from pipelines.importing.services import Place

Json = dict[str, Any]
LABELS = {"app": "cart"}


def deployment() -> Json:
    """One that ADX can have as it is, but for its labels and what it says of security."""
    container: Json = {
        "name": "cart",
        "image": "registry.example.com/shop/cart:v1.4.2",
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 1,
        },
        "livenessProbe": {"tcpSocket": {"port": "http"}},
        "startupProbe": {"grpc": {"port": 8080}},
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }
    pod: Json = {"containers": [container], "volumes": [{"name": "scratch", "emptyDir": {}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "labels": {"team": "team-shop"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": pod},
        },
    }


def named(kind: str, name: str, **body: Any) -> Json:
    """An object of ``kind`` in the namespace."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body}


def objects() -> dict[str, Json]:
    """One object of every kind that is read, by kind."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    found = [
        named("Namespace", "shop"),
        deployment(),
        named("ConfigMap", "settings", data={"CURRENCY": "EUR"}),
        named("Service", "cart", spec={"selector": LABELS, "ports": [{"port": 80, "targetPort": "http"}]}),
        named("ServiceAccount", "cart"),
        named("HorizontalPodAutoscaler", "cart", spec={"scaleTargetRef": target, "maxReplicas": 4, "metrics": [cpu]}),
        named("PodDisruptionBudget", "cart", spec={"selector": {"matchLabels": LABELS}, "maxUnavailable": 1}),
    ]
    return {item["kind"]: item for item in found}


def contents(of: dict[str, Json]) -> Contents:
    """``of`` as what was read."""
    return Contents("shop", {kind: (copy.deepcopy(item),) for kind, item in of.items()})


def proposed(of: dict[str, Json]) -> Proposal:
    """What is proposed for a repository that has nothing yet."""
    return propose(contents(of), Place("live", "team-shop"), Existing())


def service_of(found: Proposal, number: int = 0) -> Json:
    """One service of the proposed services.yaml."""
    text = next(file.text for file in found.files if file.path.endswith("services.yaml"))
    return dict(yaml.safe_load(text)["services"][number])


def container_with(**fields: Any) -> dict[str, Json]:
    """The sample with other fields of its container."""
    of = objects()
    of["Deployment"]["spec"]["template"]["spec"]["containers"][0] |= fields
    return of
