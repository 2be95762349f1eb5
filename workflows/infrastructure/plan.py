"""Pure: what differs between a cluster then and a cluster now."""

from __future__ import annotations

from collections.abc import Mapping

LiveDigests = Mapping[str, Mapping[str, str]]


def differing_objects(before: LiveDigests, after: LiveDigests) -> list[str]:
    """Ids of the objects that are missing, new or changed, sorted. Both map unit → object id → digest."""
    old, new = _flat(before), _flat(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _flat(live: LiveDigests) -> dict[str, str]:
    return {name: digest for objects in live.values() for name, digest in objects.items()}
