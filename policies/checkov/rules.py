"""What ADX's own checks look for in a Kubernetes object. Pure, and without anything but the standard library.

checkov runs in an environment of its own, where this module and those that it imports
are all there is of ADX; here it is tested without checkov. A rule takes an
object and what is known about its surroundings and returns what is wrong with
it in one line each; nothing is wrong when it returns no line; ``None`` says
that the rule has nothing to do with this object. A line may name parts of the
object, never a value that may be secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from policies.checkov import pod_rules
from policies.checkov.manifests import Manifest, is_cluster_scoped, mapping, metadata, replica_range
from policies.checkov.surroundings import Bounds, Surroundings

Rule = Callable[[Manifest, Surroundings], "list[str] | None"]

_NEEDS_ENCRYPTION = frozenset({"hipaa", "pci_dss"})


def outside_tenant_namespace(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """What belongs to a tenant lies in the tenant's own namespace."""
    if not known.tenant or is_cluster_scoped(manifest):
        return None
    own, found = known.tenant_namespace, metadata(manifest).get("namespace")
    return [] if found == own else [f"it lies in the namespace {found or 'default'}, the tenant's is {own}"]


def cluster_scoped_of_tenant(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """A tenant has nothing that the whole cluster sees, but its one namespace."""
    if not known.tenant:
        return None
    kind, name = manifest.get("kind"), metadata(manifest).get("name")
    if not is_cluster_scoped(manifest) or (kind == "Namespace" and name == known.tenant_namespace):
        return []
    return [f"{kind} {name} is seen by the whole cluster"]


def lax_namespace(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """A namespace admits only pods that satisfy the level ``restricted``."""
    if manifest.get("kind") != "Namespace":
        return None
    level = mapping(metadata(manifest).get("labels")).get("pod-security.kubernetes.io/enforce")
    return [] if level == "restricted" else [f"pod-security.kubernetes.io/enforce is {level or 'not set'}"]


def data_outside_residency(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """A tenant's namespace lies in a region where its data may be."""
    residency = _compliance(manifest, known).get("data_residency")
    if not residency:
        return None
    if known.region == residency or known.region.startswith(f"{residency}-"):
        return []
    return [f"data of {known.tenant} stays in {residency}, {known.environment} is in {known.region or 'no region'}"]


def missing_encryption(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """Frameworks that demand encryption find it promised, where data is stored and on the way."""
    compliance = _compliance(manifest, known)
    demanding = sorted(_NEEDS_ENCRYPTION.intersection(map(str, compliance.get("frameworks") or ())))
    if not demanding:
        return None
    return [
        f"{' and '.join(demanding)} demand encryption, {field} is not true"
        for field in ("encryption_at_rest", "encryption_in_transit")
        if compliance.get(field, True) is not True  # the default, true, is not written out
    ]


def replicas_out_of_bounds(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """The number of replicas stays below the most that is allowed and moves in steps that are allowed."""
    bounds = known.bounds
    if bounds == Bounds():
        return None
    smallest, largest = replica_range(manifest)
    if smallest is None or largest is None:
        return None
    lines = []
    if bounds.max_replicas is not None and largest > bounds.max_replicas:
        lines.append(f"{largest} replicas, at most {bounds.max_replicas} are allowed in {known.environment}")
    before = known.delivered_replicas
    if before is not None and bounds.max_change_percent is not None:
        # One replica more or less is always allowed: no percentage could be kept by few replicas.
        allowed = max(1.0, before * bounds.max_change_percent / 100)
        if abs(smallest - before) > allowed:
            lines.append(f"from {before} to {smallest} replicas, steps of {bounds.max_change_percent:g} % are allowed")
    return lines


def wrong_labels(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """Every object says which unit of which environment it belongs to."""
    if not known.unit:
        return None
    labels = mapping(metadata(manifest).get("labels"))
    wanted = {"adx/environment": known.environment, "adx/unit": known.unit.replace("/", ".")}
    return [f"the label {name} is not {value}" for name, value in wanted.items() if labels.get(name) != value]


def _compliance(manifest: Manifest, known: Surroundings) -> Manifest:
    """What the tenant's contract demands, from the ConfigMap that tells its workloads; empty elsewhere."""
    data = mapping(manifest.get("data"))
    if not known.tenant or manifest.get("kind") != "ConfigMap" or "tenant.json" not in data:
        return {}
    return mapping(mapping(json.loads(str(data["tenant.json"]))).get("compliance"))


RULES: Mapping[str, Rule] = {
    "ADX_K8S_1": pod_rules.mutable_images,
    "ADX_K8S_2": pod_rules.missing_resources,
    "ADX_K8S_3": outside_tenant_namespace,
    "ADX_K8S_4": cluster_scoped_of_tenant,
    "ADX_K8S_5": pod_rules.root_user,
    "ADX_K8S_6": pod_rules.privilege_escalation,
    "ADX_K8S_7": pod_rules.kept_capabilities,
    "ADX_K8S_8": pod_rules.open_seccomp,
    "ADX_K8S_9": pod_rules.host_access,
    "ADX_K8S_10": lax_namespace,
    "ADX_K8S_11": data_outside_residency,
    "ADX_K8S_12": missing_encryption,
    "ADX_K8S_13": replicas_out_of_bounds,
    "ADX_K8S_14": wrong_labels,
}
