"""One service of the platform: how it runs, how it is reached, how it scales. Pure.

A service with ``delivery`` has one Deployment for each of its releases, with an
autoscaler and a disruption budget of its own; account and address are the service's.
"""

from __future__ import annotations

from infra.components.gateway_api import http_route, release_service
from infra.components.workload import deployment
from infra.metadata import (
    RELEASE_LABEL,
    SKIP_AWAIT,
    Manifest,
    manifest,
    release_labels,
    release_manifest,
    release_selector,
    selector_labels,
)
from policies.desired_state import ServiceInputs, Unit
from policies.services.releases import delivery_of, has_delivery, release_units, serving, workload_name
from policies.services.spec import Autoscaling, ServiceSpec

COMPONENT = "services"


def manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """The service account first, then the Deployments of its releases and what belongs to them."""
    releases = release_units(unit, inputs)
    rendered = [
        service_account(unit, inputs),
        *(deployment(*release) for release in releases),
        service(unit, inputs),
        *(autoscaler(*release) for release in releases),
        *(disruption_budget(*release, is_alone=len(releases) == 1) for release in releases),
    ]
    if is_routed(inputs):
        rendered += [*(release_service(*release) for release in releases), http_route(unit, inputs)]
    return [body for body in rendered if body is not None]


def routing_manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """Of :func:`manifests` those that say which release gets how many requests: all that a shift changes."""
    rendered = [service(unit, inputs), http_route(unit, inputs) if is_routed(inputs) else None]
    return [body for body in rendered if body is not None]


def is_routed(inputs: ServiceInputs) -> bool:
    """Whether an HTTPRoute divides the requests."""
    return has_delivery(inputs) and delivery_of(inputs).gateway == "gateway-api"


def service_account(unit: Unit, inputs: ServiceInputs) -> Manifest:
    """An identity of its own, without a token in its pods."""
    return manifest(
        unit, COMPONENT, "v1", "ServiceAccount", inputs.service.name,
        namespace=inputs.namespace, automountServiceAccountToken=False,
    )  # fmt: skip


def service(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """The stable address of the pods; None when the service listens on nothing.

    With the gateway ``caddy`` it is for callers that go round the gateway, and
    has the pods of all releases; else those of the release that serves. Of a
    release from before ``delivery`` was declared the pods cannot be told from
    the new ones, so that the address has both for as long.
    """
    owner, one = next(found for found in release_units(unit, inputs) if found[1] == serving(inputs))
    ports = [
        {"name": port.name, "port": port.port, "targetPort": port.name, "protocol": "TCP"} for port in one.service.ports
    ]
    if not ports:
        return None
    is_for_all = not has_delivery(inputs) or delivery_of(inputs).gateway == "caddy"
    selector = selector_labels(unit) if is_for_all else release_selector(owner)
    spec = {"type": "ClusterIP", "selector": selector, "ports": ports}
    return manifest(
        owner, COMPONENT, "v1", "Service", inputs.service.name,
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec=spec,
    )  # fmt: skip


def autoscaler(unit: Unit, inputs: ServiceInputs) -> Manifest | None:
    """Replicas that follow the use of CPU and memory; None when the number is fixed."""
    rules = inputs.service.autoscaling
    if rules is None:
        return None
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload_name(inputs)},
        "minReplicas": rules.min_replicas,
        "maxReplicas": rules.max_replicas,
        "metrics": metrics(rules),
    }
    if rules.scale_down_stabilization_seconds is not None:
        window = {"stabilizationWindowSeconds": rules.scale_down_stabilization_seconds}
        spec["behavior"] = {"scaleDown": window}
    return release_manifest(
        unit, COMPONENT, "autoscaling/v2", "HorizontalPodAutoscaler", workload_name(inputs),
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def metrics(rules: Autoscaling) -> list[Manifest]:
    """The mean use that the autoscaler aims at, in per cent of the request."""
    targets = {"cpu": rules.target_cpu_percent, "memory": rules.target_memory_percent}
    return [
        {
            "type": "Resource",
            "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
        }
        for name, percent in targets.items()
        if percent is not None
    ]


def disruption_budget(unit: Unit, inputs: ServiceInputs, *, is_alone: bool) -> Manifest | None:
    """How many pods a node drain must leave; None for a single replica without a declared bound."""
    selector: Manifest = {"matchLabels": release_selector(unit)}
    if not release_labels(unit) and not is_alone:
        # A pod that two budgets select cannot be evicted at all.
        selector["matchExpressions"] = [{"key": RELEASE_LABEL, "operator": "DoesNotExist"}]
    spec: Manifest = {"selector": selector}
    if inputs.service.min_available is not None:
        spec["minAvailable"] = inputs.service.min_available
    elif inputs.service.max_unavailable is not None:
        spec["maxUnavailable"] = inputs.service.max_unavailable
    elif smallest_replica_count(inputs.service) > 1:
        spec["maxUnavailable"] = 1
    else:
        return None
    return release_manifest(
        unit, COMPONENT, "policy/v1", "PodDisruptionBudget", workload_name(inputs),
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def smallest_replica_count(spec: ServiceSpec) -> int:
    """How many replicas there are at least."""
    return spec.autoscaling.min_replicas if spec.autoscaling else spec.replicas or 0
