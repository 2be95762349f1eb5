"""One service of the platform: how it runs, how it is reached, how it scales. Pure."""

from __future__ import annotations

from infra.components.workload import deployment
from infra.metadata import SKIP_AWAIT, Manifest, manifest, selector_labels
from policies.desired_state import ServiceInputs, Unit
from policies.services.spec import Autoscaling, ServiceSpec

COMPONENT = "services"


def manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """The service account first, then the Deployment and what belongs to it."""
    rendered = [
        service_account(unit, inputs),
        deployment(unit, inputs),
        service(unit, inputs),
        autoscaler(unit, inputs),
        disruption_budget(unit, inputs),
    ]
    return [body for body in rendered if body is not None]


def service_account(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """An identity of its own, without a token in its pods."""
    return manifest(
        unit, COMPONENT, "v1", "ServiceAccount", inputs.service.name,
        namespace=inputs.namespace, automountServiceAccountToken=False,
    )  # fmt: skip


def service(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """The stable address of the pods; None when the service listens on nothing."""
    ports = [
        {"name": port.name, "port": port.port, "targetPort": port.name, "protocol": "TCP"}
        for port in inputs.service.ports
    ]
    if not ports:
        return None
    spec = {"type": "ClusterIP", "selector": selector_labels(unit), "ports": ports}
    return manifest(
        unit, COMPONENT, "v1", "Service", inputs.service.name,
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec=spec,
    )  # fmt: skip


def autoscaler(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """Replicas that follow the CPU use; None when the number is fixed."""
    rules = inputs.service.autoscaling
    if rules is None:
        return None
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": inputs.service.name},
        "minReplicas": rules.min_replicas,
        "maxReplicas": rules.max_replicas,
        "metrics": [cpu_metric(rules)],
    }
    return manifest(
        unit, COMPONENT, "autoscaling/v2", "HorizontalPodAutoscaler", inputs.service.name,
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def cpu_metric(rules: Autoscaling) -> Manifest:
    """The mean CPU use that the autoscaler aims at, in per cent of the request."""
    target = {"type": "Utilization", "averageUtilization": rules.target_cpu_percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def disruption_budget(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """How many pods a node drain must leave; None for a single replica without a declared minimum."""
    spec: Manifest = {"selector": {"matchLabels": selector_labels(unit)}}
    if inputs.service.min_available is not None:
        spec["minAvailable"] = inputs.service.min_available
    elif smallest_replica_count(inputs.service) > 1:
        spec["maxUnavailable"] = 1
    else:
        return None
    return manifest(
        unit, COMPONENT, "policy/v1", "PodDisruptionBudget", inputs.service.name,
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def smallest_replica_count(spec: ServiceSpec) -> int:
    """How many replicas there are at least."""
    return spec.autoscaling.min_replicas if spec.autoscaling else spec.replicas or 0
