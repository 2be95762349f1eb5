"""What ADX's own checks look for in a Kubernetes object. Pure, and without anything but the standard library.

checkov runs in an environment of its own, where this is the only module of ADX
that its checks import; here it is tested without checkov. A rule takes an
object and what is known about its surroundings and returns what is wrong with
it in one line each; nothing is wrong when it returns no line; ``None`` says
that the rule has nothing to do with this object. A line may name parts of the
object, never a value that may be secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

# Where the runner says, on the copy that is checked, which unit an object belongs to; labels might lie.
STAMP = "x-adx"

_CLUSTER_KINDS = frozenset(
    {"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding"}
    | {"CustomResourceDefinition", "FlowSchema", "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node"}
    | {"PersistentVolume", "PriorityClass", "PriorityLevelConfiguration", "RuntimeClass", "StorageClass"}
    | {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"}
    | {"VolumeAttachment", "ClusterTrustBundle", "DeviceClass", "IPAddress", "ServiceCIDR", "ResourceSlice"}
    | {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "VolumeAttributesClass"}
)
# Tags that are moved to other images by habit, and the beginnings of names of branches.
_MOVING_TAGS = frozenset(
    {"latest", "stable", "edge", "main", "master", "trunk", "develop", "development", "dev", "nightly", "canary"}
    | {"head", "next", "staging", "production", "prod", "test", "release", "current", "snapshot", "beta", "alpha", "rc"}
)
_BRANCH_PREFIXES = ("feature", "fix", "bugfix", "hotfix", "release", "branch", "pr")
_AMOUNTS = (("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory"))
_NEEDS_ENCRYPTION = frozenset({"hipaa", "pci_dss"})
_SEALED = ("RuntimeDefault", "Localhost")


@dataclass(frozen=True)
class Bounds:
    """How far the replicas of one environment may move. ``None`` bounds nothing."""

    max_change_percent: float | None = None
    max_replicas: int | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a rule knows beside the object: its environment's ``region``, bounds, and what is delivered now.

    ``delivered_replicas`` is None for a unit that is not there yet.
    """

    unit: str = ""
    environment: str = ""
    region: str = ""
    bounds: Bounds = Bounds()
    delivered_replicas: int | None = None

    @property
    def tenant(self) -> str:
        """The tenant that the object belongs to; empty when it is the platform's or a service's."""
        kind, _, name = self.unit.partition("/")
        return name if kind == "tenant" else ""


Rule = Callable[[Manifest, Surroundings], "list[str] | None"]


def surroundings_of(manifest: Manifest, context: Mapping[str, Any]) -> Surroundings:
    """What ``context`` (see :mod:`policies.checkov.context`) says about the unit that the object is stamped with."""
    stamp = _mapping(manifest.get(STAMP))
    unit, environment = str(stamp.get("unit", "")), str(stamp.get("environment", ""))
    facts = _mapping(_mapping(context.get("environments")).get(environment))
    return Surroundings(
        unit=unit,
        environment=environment,
        region=str(facts.get("region", "")),
        bounds=Bounds(facts.get("max_change_percent"), facts.get("max_replicas")),
        delivered_replicas=_mapping(facts.get("delivered_replicas")).get(unit),
    )


def mutable_images(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """Every image is named by a digest or by a tag that stays."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    return [
        f"container {container.get('name')}: {why}"
        for container in containers(pod)
        if (why := why_image_is_mutable(str(container.get("image", "")))) is not None
    ]


def missing_resources(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """Every container says what it needs and what it may use, in CPU and memory."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    return [
        f"container {container.get('name')} has no {side} of {amount}"
        for container in containers(pod)
        for side, amount in _AMOUNTS
        if not _mapping(_mapping(container.get("resources")).get(side)).get(amount)
    ]


def outside_tenant_namespace(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """What belongs to a tenant lies in the tenant's own namespace."""
    if not known.tenant or is_cluster_scoped(manifest):
        return None
    own, found = tenant_namespace(known), _metadata(manifest).get("namespace")
    return [] if found == own else [f"it lies in the namespace {found or 'default'}, the tenant's is {own}"]


def cluster_scoped_of_tenant(manifest: Manifest, known: Surroundings) -> list[str] | None:
    """A tenant has nothing that the whole cluster sees, but its one namespace."""
    if not known.tenant:
        return None
    kind, name = manifest.get("kind"), _metadata(manifest).get("name")
    if not is_cluster_scoped(manifest) or (kind == "Namespace" and name == tenant_namespace(known)):
        return []
    return [f"{kind} {name} is seen by the whole cluster"]


def root_user(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """No process runs as root."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    of_pod = _security(pod)
    lines = []
    for container in containers(pod):
        merged = {**of_pod, **_security(container)}
        if merged.get("runAsNonRoot") is not True:
            lines.append(f"container {container.get('name')} may run as root: runAsNonRoot is not true")
        elif merged.get("runAsUser") == 0:
            lines.append(f"container {container.get('name')} runs as user 0")
    return lines


def privilege_escalation(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """No container is privileged or may become so."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    lines = []
    for container in containers(pod):
        security = _security(container)
        if security.get("privileged"):
            lines.append(f"container {container.get('name')} is privileged")
        if security.get("allowPrivilegeEscalation") is not False:
            lines.append(f"container {container.get('name')}: allowPrivilegeEscalation is not false")
    return lines


def kept_capabilities(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """Every container drops all capabilities and adds at most that of binding a low port."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    lines = []
    for container in containers(pod):
        capabilities = _mapping(_security(container).get("capabilities"))
        if "ALL" not in (capabilities.get("drop") or ()):
            lines.append(f"container {container.get('name')} does not drop ALL capabilities")
        added = [name for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE"]
        if added:
            lines.append(f"container {container.get('name')} adds {', '.join(map(str, added))}")
    return lines


def open_seccomp(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """System calls are filtered by the runtime's own profile or a stricter one."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    return [
        f"container {container.get('name')} has no seccomp profile RuntimeDefault"
        for container in containers(pod)
        if _mapping(({**_security(pod), **_security(container)}).get("seccompProfile")).get("type") not in _SEALED
    ]


def host_access(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """A pod sees nothing of the machine: no folder, network, process or port of it."""
    pod = pod_spec(manifest)
    if pod is None:
        return None
    lines = [f"{name} is true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    lines += [
        f"the volume {volume.get('name')} is a folder of the machine (hostPath)"
        for volume in _mappings(pod.get("volumes"))
        if "hostPath" in volume
    ]
    lines += [
        f"container {container.get('name')} takes port {port['hostPort']} of the machine"
        for container in containers(pod)
        for port in _mappings(container.get("ports"))
        if port.get("hostPort")
    ]
    return lines


def lax_namespace(manifest: Manifest, _: Surroundings) -> list[str] | None:
    """A namespace admits only pods that satisfy the level ``restricted``."""
    if manifest.get("kind") != "Namespace":
        return None
    level = _mapping(_metadata(manifest).get("labels")).get("pod-security.kubernetes.io/enforce")
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
    labels = _mapping(_metadata(manifest).get("labels"))
    wanted = {"adx/environment": known.environment, "adx/unit": known.unit.replace("/", ".")}
    return [f"the label {name} is not {value}" for name, value in wanted.items() if labels.get(name) != value]


def why_image_is_mutable(image: str) -> str | None:
    """Why ``image`` may be another image tomorrow; None when it stays the same."""
    name, _, digest = image.partition("@")
    if digest:
        return None if digest.startswith("sha256:") else "the digest is not a sha256"
    # A colon before the last slash belongs to the port of a registry.
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if not colon or not tag:
        return "the image has no tag, which means latest"
    lowered = tag.lower()
    words = lowered.replace("_", "-").replace(".", "-").split("-")
    if lowered in _MOVING_TAGS or (words[0] in _BRANCH_PREFIXES and len(words) > 1 and not _has_digit(words[1])):
        return f"the tag {tag} names a branch or moves"
    return None if _has_digit(tag) else f"the tag {tag} has no version in it"


def is_cluster_scoped(manifest: Manifest) -> bool:
    """Whether objects of this kind lie in no namespace."""
    kind = str(manifest.get("kind", ""))
    return kind in _CLUSTER_KINDS or kind.startswith("Cluster")


def tenant_namespace(known: Surroundings) -> str:
    """The one namespace of the tenant in its environment (as :mod:`policies.desired_state` names it)."""
    return f"{known.environment}-tenant-{known.tenant}"


def replica_range(manifest: Manifest) -> tuple[int | None, int | None]:
    """The smallest and the largest number of replicas that the object asks for; None when it asks for none."""
    spec = _mapping(manifest.get("spec"))
    if manifest.get("kind") == "HorizontalPodAutoscaler":
        return int(spec.get("minReplicas", 1)), int(spec.get("maxReplicas", 1))
    if manifest.get("kind") in ("Deployment", "StatefulSet") and "replicas" in spec:
        return int(spec["replicas"]), int(spec["replicas"])
    return None, None


def pod_spec(manifest: Manifest) -> Manifest | None:
    """The pod that a workload starts; None when the object is no workload."""
    spec = _mapping(manifest.get("spec"))
    if manifest.get("kind") == "Pod":
        return spec
    if manifest.get("kind") == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    template = _mapping(manifest.get("template") if manifest.get("kind") == "PodTemplate" else spec.get("template"))
    found = template.get("spec")
    return found if isinstance(found, Mapping) else None


def containers(pod: Manifest) -> Iterator[Manifest]:
    """Every container of a pod, whatever its role."""
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from _mappings(pod.get(name))


def _compliance(manifest: Manifest, known: Surroundings) -> Manifest:
    """What the tenant's contract demands, from the ConfigMap that tells its workloads; empty elsewhere."""
    data = _mapping(manifest.get("data"))
    if not known.tenant or manifest.get("kind") != "ConfigMap" or "tenant.json" not in data:
        return {}
    return _mapping(_mapping(json.loads(str(data["tenant.json"]))).get("compliance"))


def _metadata(manifest: Manifest) -> Manifest:
    return _mapping(manifest.get("metadata"))


def _security(part: Manifest) -> Manifest:
    return _mapping(part.get("securityContext"))


def _mapping(value: Any) -> Manifest:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Manifest]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


RULES: Mapping[str, Rule] = {
    "ADX_K8S_1": mutable_images,
    "ADX_K8S_2": missing_resources,
    "ADX_K8S_3": outside_tenant_namespace,
    "ADX_K8S_4": cluster_scoped_of_tenant,
    "ADX_K8S_5": root_user,
    "ADX_K8S_6": privilege_escalation,
    "ADX_K8S_7": kept_capabilities,
    "ADX_K8S_8": open_seccomp,
    "ADX_K8S_9": host_access,
    "ADX_K8S_10": lax_namespace,
    "ADX_K8S_11": data_outside_residency,
    "ADX_K8S_12": missing_encryption,
    "ADX_K8S_13": replicas_out_of_bounds,
    "ADX_K8S_14": wrong_labels,
}
