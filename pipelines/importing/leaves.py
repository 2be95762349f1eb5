"""Objects as leaves: every value with the place it stands at. Pure.

A place is the tuple of its steps. An item of a list is known by its name,
where it has one, so that another order is no difference: ``[cart]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Place = tuple[str, ...]
Leaves = dict[Place, Any]

_IDENTITIES = ("name", "mountPath", "topologyKey", "key", "type", "ip")


def leaves_of(value: object, place: Place = ()) -> Leaves:
    """``{place: scalar}``; an empty mapping or list is a leaf, since it can mean something (``emptyDir: {}``)."""
    found: Leaves = {}
    for step, item in _steps(value):
        below = (*place, step)
        if isinstance(item, Mapping | list) and item:
            found |= leaves_of(item, below)
        else:
            found[below] = item
    return found


def text_of(place: Place) -> str:
    """``spec.template.spec.containers[cart].image``."""
    text = ""
    for step in place:
        text += step if step.startswith("[") or not text else f".{step}"
    return text


def prefixes_of(places: Iterable[Place]) -> set[Place]:
    """Every place above, and at, each of ``places``."""
    return {place[:length] for place in places for length in range(1, len(place) + 1)}


def _steps(value: object) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return _items(value)
    return []


def _items(items: list[Any]) -> list[tuple[str, Any]]:
    """Items by what they call themselves; those that share a name, or have none, by their number too."""
    found: list[tuple[str, Any]] = []
    taken: set[str] = set()
    for number, item in enumerate(items):
        own = next((item[key] for key in _IDENTITIES if item.get(key)), None) if isinstance(item, Mapping) else None
        step = f"[{number if own is None else own}]"
        step = f"[{own}#{number}]" if step in taken else step
        taken.add(step)
        found.append((step, item))
    return found
