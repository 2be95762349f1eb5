"""The objects of a heal's snapshot: in which order they are undone, and whether one is as it was. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.clients.kubernetes.normalise import normalise
from workflows.drift.bodies import HealedObject, HealSnapshotBody


def namespaces_first(snapshot: HealSnapshotBody) -> tuple[list[HealedObject], list[HealedObject]]:
    """The namespaces, and every other object: nothing can be made in one that is not there."""
    objects = [snapshot.objects[id_] for id_ in sorted(snapshot.objects)]
    namespaces = [one for one in objects if one.delivered["kind"] == "Namespace"]
    return namespaces, [one for one in objects if one.delivered["kind"] != "Namespace"]


def is_same(one: HealedObject, now: Mapping[str, Any] | None) -> bool:
    """Whether the object is as it was before the heal, apart from what moves by itself."""
    if one.live is None or now is None:
        return one.live is None and now is None
    # An autoscaler decides about the replicas that are not declared.
    is_scaled = "replicas" not in one.delivered.get("spec", {})
    return normalise(one.live, is_scaled=is_scaled) == normalise(now, is_scaled=is_scaled)


def not_as_before(objects: Mapping[str, HealedObject], live: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Ids of the ``objects`` that are not as they were before the heal; ``live`` are the same now, in their order."""
    return [id_ for (id_, one), now in zip(objects.items(), live, strict=True) if not is_same(one, now)]
