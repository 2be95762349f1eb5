"""One tenant in one environment: its namespace, its limits, and who it may talk to. Pure."""

from __future__ import annotations

from ipaddress import ip_network

from infra.metadata import NAMESPACE_DELETION, SKIP_AWAIT, Manifest, manifest
from policies.desired_state import TenantInputs, Unit
from policies.quantities import quantity

COMPONENT = "tenancy"
POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
DEFAULT_LIMIT = {"cpu": "500m", "memory": "512Mi"}
DEFAULT_REQUEST = {"cpu": "100m", "memory": "128Mi"}
LINK_LOCAL = "169.254.0.0/16"  # where clouds serve credentials of the machine


def manifests(unit: Unit, inputs: TenantInputs) -> list[Manifest]:
    """The namespace first, then everything in it."""
    return [
        namespace(unit, inputs),
        quota(unit, inputs),
        limit_range(unit, inputs),
        default_deny(unit, inputs),
        declared_access(unit, inputs),
    ]


def namespace(unit: Unit, inputs: TenantInputs) -> Manifest:
    """The tenant's namespace; what its contract demands stands in the annotations."""
    annotations = {
        "adx/display-name": inputs.display_name,
        "adx/isolation-strategy": inputs.isolation_strategy,
        "adx/compliance": ",".join(inputs.compliance.frameworks),
        "adx/data-residency": inputs.compliance.data_residency or "",
    }
    given = {name: value for name, value in annotations.items() if value}
    body = manifest(unit, COMPONENT, "v1", "Namespace", inputs.namespace, annotations=NAMESPACE_DELETION | given)
    body["metadata"]["labels"] |= POD_SECURITY
    return body


def quota(unit: Unit, inputs: TenantInputs) -> Manifest:
    """What all the tenant's pods together may use."""
    limits = inputs.resource_limits
    hard = {
        "requests.cpu": limits.cpu,
        "limits.cpu": limits.cpu,
        "requests.memory": limits.memory,
        "limits.memory": limits.memory,
        "requests.storage": limits.storage,
        "pods": str(limits.pods),
    }
    return manifest(
        unit, COMPONENT, "v1", "ResourceQuota", "tenant-quota",
        namespace=inputs.namespace, annotations=SKIP_AWAIT, spec={"hard": hard},
    )  # fmt: skip


def limit_range(unit: Unit, inputs: TenantInputs) -> Manifest:
    """What a container gets that says nothing, since the quota refuses one without limits."""
    most = {"cpu": inputs.resource_limits.cpu, "memory": inputs.resource_limits.memory}
    container = {
        "type": "Container",
        "max": most,
        "default": {name: min(DEFAULT_LIMIT[name], most[name], key=quantity) for name in most},
        "defaultRequest": {name: min(DEFAULT_REQUEST[name], most[name], key=quantity) for name in most},
    }
    return manifest(
        unit, COMPONENT, "v1", "LimitRange", "container-defaults",
        namespace=inputs.namespace, spec={"limits": [container]},
    )  # fmt: skip


def default_deny(unit: Unit, inputs: TenantInputs) -> Manifest:
    """Nothing enters or leaves unless another policy says so."""
    return manifest(
        unit, COMPONENT, "networking.k8s.io/v1", "NetworkPolicy", "default-deny",
        namespace=inputs.namespace, spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    )  # fmt: skip


def declared_access(unit: Unit, inputs: TenantInputs) -> Manifest:
    """The tenant's own pods, name resolution, the platform services it uses and its declared destinations."""
    own_pods: Manifest = {"podSelector": {}}
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [own_pods]}],
        "egress": [{"to": [own_pods]}, name_resolution(), *platform_services(inputs), *declared_egress(inputs)],
    }
    return manifest(
        unit, COMPONENT, "networking.k8s.io/v1", "NetworkPolicy", "declared-access",
        namespace=inputs.namespace, spec=spec,
    )  # fmt: skip


def name_resolution() -> Manifest:
    """The cluster's DNS servers."""
    servers = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return {"to": [servers], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def platform_services(inputs: TenantInputs) -> list[Manifest]:
    """One rule for each platform service that the tenant may reach, on the ports of its containers."""
    platform = {"matchLabels": {"kubernetes.io/metadata.name": inputs.platform_namespace}}
    return [
        {
            "to": [{"namespaceSelector": platform, "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}],
            "ports": [{"protocol": "TCP", "port": port} for port in ports],
        }
        for name, ports in sorted(inputs.service_ports.items())
        if ports
    ]


def declared_egress(inputs: TenantInputs) -> list[Manifest]:
    """One rule for each declared destination; link-local addresses are never among them."""
    return [
        {"to": [{"ipBlock": address_block(egress.cidr)}], "ports": [{"protocol": "TCP", "port": egress.port}]}
        for egress in inputs.network.egress
    ]


def address_block(cidr: str) -> Manifest:
    """The block, without the link-local addresses when it is so wide as to contain them."""
    network, link_local = ip_network(cidr, strict=False), ip_network(LINK_LOCAL)
    contains_link_local = network.version == link_local.version and link_local.subnet_of(network)  # type: ignore[arg-type]
    return {"cidr": cidr} | ({"except": [LINK_LOCAL]} if contains_link_local else {})
