"""What of a live object is its own: everything but what servers and controllers change by themselves. Pure.

Two reads of an untouched object have the same digest, however much time lies
between; an object that was deleted and made again the same has it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from policies.desired_state import digest_of

Json = dict[str, Any]
ENVIRONMENT_LABEL = "adx/environment"
UNIT_LABEL = "adx/unit"
UNIT_KIND_LABEL = "adx/unit-kind"

_KEPT_METADATA = ("name", "namespace", "labels", "ownerReferences")
_MOVING_ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "autoscaling.alpha.kubernetes.io/",
)
_DROPPED = ("apiVersion", "status", "metadata")
# Given out by servers: others after deleting and making again.
_ALLOCATED = {
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
    "Namespace": ("finalizers",),
}


def object_id(item: Mapping[str, Any]) -> str:
    """Kind, namespace and name: ``Deployment/boutique/cart``, ``Namespace/boutique``."""
    metadata = item["metadata"]
    parts = (item["kind"], metadata.get("namespace"), metadata["name"])
    return "/".join(part for part in parts if part)


def unit_of(item: Mapping[str, Any]) -> str:
    """The unit that an object belongs to, as its label says: ``service/cart``; empty without a label."""
    label = (item["metadata"].get("labels") or {}).get(UNIT_LABEL, "")
    return str(label).replace(".", "/", 1)


def digests_by_unit(items: Iterable[Json]) -> dict[str, dict[str, str]]:
    """``{unit: {object id: SHA-256}}`` of live objects, ordered by name."""
    chosen = list(items)
    scaled = scaled_workloads(chosen)
    found: dict[str, dict[str, str]] = {}
    for item in sorted(chosen, key=object_id):
        name = object_id(item)
        found.setdefault(unit_of(item), {})[name] = digest_of(normalise(item, is_scaled=name in scaled))
    return dict(sorted(found.items()))


def scaled_workloads(items: Iterable[Mapping[str, Any]]) -> Collection[str]:
    """Ids of the workloads whose number of replicas an autoscaler decides."""
    return {
        f"{target['kind']}/{item['metadata']['namespace']}/{target['name']}"
        for item in items
        if item["kind"] == "HorizontalPodAutoscaler" and (target := item["spec"]["scaleTargetRef"])
    }


def normalise(item: Mapping[str, Any], *, is_scaled: bool = False) -> Json:
    """The object without what moves by itself; ``is_scaled`` says that its replicas do."""
    own = {key: value for key, value in item.items() if key not in _DROPPED}
    own["metadata"] = _metadata(item["metadata"])
    if isinstance(own.get("spec"), dict):
        own["spec"] = _spec(item["kind"], own["spec"], is_scaled)
    if item["kind"] == "ServiceAccount":
        own.pop("secrets", None)  # made by a controller in older clusters
    return own


def _metadata(metadata: Mapping[str, Any]) -> Json:
    kept = {key: metadata[key] for key in _KEPT_METADATA if metadata.get(key)}
    annotations = metadata.get("annotations") or {}
    stable = {name: value for name, value in annotations.items() if not name.startswith(_MOVING_ANNOTATIONS)}
    if stable:
        kept["annotations"] = stable
    if metadata.get("deletionTimestamp"):
        kept["isBeingDeleted"] = True
    return kept


def _spec(kind: str, spec: Mapping[str, Any], is_scaled: bool) -> Json:
    dropped = (*_ALLOCATED.get(kind, ()), *(("replicas",) if is_scaled else ()))
    own = {key: value for key, value in spec.items() if key not in dropped}
    if kind == "Service" and own.get("ports"):
        own["ports"] = [{key: value for key, value in port.items() if key != "nodePort"} for port in own["ports"]]
    return own
