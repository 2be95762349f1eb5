"""The platform of an environment: its namespace and the policies that hold for everything in it. Pure."""

from __future__ import annotations

from infra.metadata import NAMESPACE_DELETION, Manifest, manifest
from policies.desired_state import PlatformInputs, Unit

COMPONENT = "infrastructure"
POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
INGRESS_NAMESPACE_LABEL = "adx/ingress"


def manifests(unit: Unit, inputs: PlatformInputs) -> list[Manifest]:
    """The namespace first, then its default policies."""
    return [namespace(unit, inputs), default_deny(unit, inputs), environment_access(unit, inputs)]


def namespace(unit: Unit, inputs: PlatformInputs) -> Manifest:
    """The namespace that all services of the environment share; pods in it must satisfy ``restricted``."""
    body = manifest(
        unit,
        COMPONENT,
        "v1",
        "Namespace",
        inputs.namespace,
        annotations=NAMESPACE_DELETION | {"adx/region": inputs.region},
    )
    body["metadata"]["labels"] |= POD_SECURITY
    return body


def default_deny(unit: Unit, inputs: PlatformInputs) -> Manifest:
    """Nothing may connect to a pod unless another policy says so."""
    return manifest(
        unit, COMPONENT, "networking.k8s.io/v1", "NetworkPolicy", "default-deny",
        namespace=inputs.namespace, spec={"podSelector": {}, "policyTypes": ["Ingress"]},
    )  # fmt: skip


def environment_access(unit: Unit, inputs: PlatformInputs) -> Manifest:
    """Services reach each other; tenants of this environment and namespaces labelled ``adx/ingress`` reach them."""
    tenants = {"adx/environment": unit.inputs.environment, "adx/unit-kind": "tenant"}
    sources = [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": tenants}},
        {"namespaceSelector": {"matchLabels": {INGRESS_NAMESPACE_LABEL: "true"}}},
    ]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": sources}]}
    return manifest(
        unit, COMPONENT, "networking.k8s.io/v1", "NetworkPolicy", "environment-access",
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip
