"""A tenant's namespace: its quota, its ways out, and what of it is reported."""

from __future__ import annotations

import yaml

from pipelines.importing.model import Contents, Other
from pipelines.importing.proposal import Proposal
from pipelines.importing.propose_tenant import propose_tenant
from pipelines.importing.services import Place
from policies.declarations import EnvironmentDeclarations
from tests.importing.objects import LABELS, Json, named
from tests.support.declared import base_documents, declarations


def tenant_of(declared: EnvironmentDeclarations, *more: Json) -> Proposal:
    """The proposal for a namespace with ``more`` in it, as that of the tenant ``acme``."""
    found: dict[str, tuple[Json, ...]] = {"Namespace": (named("Namespace", "shop-acme"),)}
    for item in more:
        found[item["kind"]] = (*found.get(item["kind"], ()), item)
    of = Contents("shop-acme", found, (Other(kind="Deployment", name="theirs"),))
    return propose_tenant(of, "acme", Place(declared.environment.name, "team-accounts"), declared)


def test_a_tenant_has_its_quota_and_its_ways_out() -> None:
    """The strictest quota; services of the platform by name; networks with one TCP port; the rest is reported."""
    declared: EnvironmentDeclarations = next(iter(declarations(base_documents()).environments.values()))
    reached = next(one.name for one in declared.services.services if one.ports)
    peer = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": reached}}}
    tcp = [{"protocol": "TCP", "port": 443}]
    egress = [
        {"to": [peer], "ports": tcp},
        {"to": [{"ipBlock": {"cidr": "203.0.113.0/28"}}], "ports": tcp},
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": tcp},
        {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]},
        {"to": [{"podSelector": {}}]},
        {"to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.9/32"]}}], "ports": tcp},
        {"to": [{"ipBlock": {"cidr": "198.51.100.7/24"}}], "ports": tcp},
        {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "no"}}}]},
        {"to": [{"namespaceSelector": {}}], "ports": tcp},
        {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 8000, "endPort": 8999}]},
        {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]},
    ]
    ingress: list[Json] = [{"from": [{"namespaceSelector": {}}]}, {"from": [{"podSelector": {}}]}]
    found = tenant_of(
        declared,
        named("ResourceQuota", "a", spec={"hard": {"limits.cpu": "8", "limits.memory": "16Gi", "pods": "30"}}),
        named("ResourceQuota", "b", spec={"hard": {"requests.cpu": "4000m"}}),
        named("NetworkPolicy", "out", spec={"podSelector": {}, "egress": egress, "ingress": ingress}),
        named("NetworkPolicy", "one", spec={"podSelector": {"matchLabels": LABELS}, "egress": []}),
    )
    tenant = yaml.safe_load(found.files[0].text)

    assert tenant["resource_limits"] == {"cpu": "4000m", "memory": "16Gi", "storage": "50Gi", "pods": 30}
    assert tenant["network"] == {
        "services": [reached],
        "egress": [{"cidr": "203.0.113.0/28", "port": 443, "reason": "From the NetworkPolicy out."}],
    }
    lost = {(row.object, row.field) for row in found.rows if row.kind == "lost"}
    assert {
        ("NetworkPolicy/out", "spec.egress[2].to[0] TCP/443"),
        ("NetworkPolicy/out", "spec.egress[3].to[0]"),
        *(("NetworkPolicy/out", f"spec.egress[{number}].to[0] TCP/443") for number in (5, 6, 8)),
        ("NetworkPolicy/out", "spec.egress[7].to[0]"),
        ("NetworkPolicy/out", "spec.egress[9].to[0] TCP/8000"),
        ("NetworkPolicy/out", "spec.ingress[0].from[0]"),
        ("NetworkPolicy/one", "spec.podSelector"),
        ("Deployment/theirs", ""),
    } == lost - {("Namespace/shop-acme", "metadata.name")}
    assert ("guessed", "resource_limits.storage") in {(row.kind, row.path) for row in found.rows}
