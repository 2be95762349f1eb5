"""What a Kubernetes object says of itself, read without trusting its shape. Pure, nothing but the standard library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]

_CLUSTER_KINDS = frozenset(
    {"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding"}
    | {"CustomResourceDefinition", "FlowSchema", "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node"}
    | {"PersistentVolume", "PriorityClass", "PriorityLevelConfiguration", "RuntimeClass", "StorageClass"}
    | {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"}
    | {"VolumeAttachment", "ClusterTrustBundle", "DeviceClass", "IPAddress", "ServiceCIDR", "ResourceSlice"}
    | {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "VolumeAttributesClass"}
)


def is_cluster_scoped(manifest: Manifest) -> bool:
    """Whether objects of this kind lie in no namespace."""
    kind = str(manifest.get("kind", ""))
    return kind in _CLUSTER_KINDS or kind.startswith("Cluster")


def replica_range(manifest: Manifest) -> tuple[int | None, int | None]:
    """The smallest and the largest number of replicas that the object asks for; None when it asks for none."""
    spec = mapping(manifest.get("spec"))
    if manifest.get("kind") == "HorizontalPodAutoscaler":
        return int(spec.get("minReplicas", 1)), int(spec.get("maxReplicas", 1))
    if manifest.get("kind") in ("Deployment", "StatefulSet") and "replicas" in spec:
        return int(spec["replicas"]), int(spec["replicas"])
    return None, None


def pod_spec(manifest: Manifest) -> Manifest | None:
    """The pod that a workload starts; None when the object is no workload."""
    spec = mapping(manifest.get("spec"))
    if manifest.get("kind") == "Pod":
        return spec
    if manifest.get("kind") == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    template = mapping(manifest.get("template") if manifest.get("kind") == "PodTemplate" else spec.get("template"))
    found = template.get("spec")
    return found if isinstance(found, Mapping) else None


def containers(pod: Manifest) -> Iterator[Manifest]:
    """Every container of a pod, whatever its role."""
    for name in ("initContainers", "containers", "ephemeralContainers"):
        yield from mappings(pod.get(name))


def metadata(manifest: Manifest) -> Manifest:
    """Its name, namespace and labels; empty where it has none."""
    return mapping(manifest.get("metadata"))


def security_of(part: Manifest) -> Manifest:
    """The security context of a pod or of a container."""
    return mapping(part.get("securityContext"))


def mapping(value: Any) -> Manifest:
    """``value``, or nothing where it is no mapping."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Manifest]:
    """The mappings in a list; none where it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
