"""Two objects in canonical form → what of the first is kept, what not, and what the second adds. Pure.

Every leaf of the live object ends in one of three sets: ``kept`` (the rendered
object has the same there), ``equal`` (it says nothing, and the API server would
fill in just that) or below a row. That is what makes "nothing is lost in
silence" a property of this module instead of a promise of the mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.importing.amounts import same_amount
from pipelines.importing.defaults import is_default
from pipelines.importing.leaves import Leaves, Place, leaves_of, prefixes_of, text_of
from pipelines.importing.model import Json, Kind, Row
from pipelines.importing.reasons import reason
from policies.masking import names_a_secret
from policies.secrets import credential_shape
from policies.yaml_text import visible

LONGEST_VALUE = 40
_TOGETHER = ("labels", "annotations", "matchLabels", "command", "args", "securityContext", "strategy", "behavior")
_AMOUNTS = frozenset({"requests", "limits", "hard", "max", "default", "defaultRequest"})
_SILENT = re.compile(r"(?:^|\.)(?:env\[|command|args|(?:binaryData|data)\b)|Headers")
_MOST_NAMED = 5
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where the leaves of the live object are: ``kept``, ``equal`` to a default, ``reported`` by one of ``rows``."""

    kept: frozenset[str]
    equal: frozenset[str]
    reported: frozenset[str]
    rows: tuple[Row, ...]


def compared(kind: str, name: str, live: Json, rendered: Json) -> Comparison:
    """``live`` and ``rendered``, objects of ``kind`` in canonical form; rows are about ``kind/name``."""
    before, after = leaves_of(live), leaves_of(rendered)
    kept = {place for place, value in before.items() if place in after and _same(place, value, after[place])}
    changed = {place for place in before if place in after and place not in kept}
    equal = {place for place, value in before.items() if place not in after and is_default(kind, text_of(place), value)}
    lost = before.keys() - kept - changed - equal
    added = {
        place for place, value in after.items() if place not in before and not is_default(kind, text_of(place), value)
    }
    rows = [
        *_rows("lost", name, _grouped(lost, prefixes_of(after)), before, {}),
        *_rows("changed", name, _grouped(changed, set()), before, after),
        *_rows("added", name, _grouped(added, prefixes_of(before)), {}, after),
    ]
    kept_, equal_, reported = (frozenset(map(text_of, places)) for places in (kept, equal, lost | changed))
    return Comparison(kept_, equal_, reported, tuple(rows))


def _grouped(places: Iterable[Place], known: set[Place]) -> dict[Place, list[Place]]:
    """The places below the highest step that the other side does not have; of a list below its item."""
    found: dict[Place, list[Place]] = {}
    for place in sorted(places):
        found.setdefault(_top(place, known), []).append(place)
    return found


def _top(place: Place, known: set[Place]) -> Place:
    for length, step in enumerate(place, 1):
        if step in _TOGETHER:
            return place[:length]
        if step == "metadata":
            continue
        is_list_item = length < len(place) and place[length].startswith("[")
        if known and place[:length] not in known and not is_list_item:
            return place[:length]
    return place


def _rows(kind: Kind, name: str, groups: dict[Place, list[Place]], before: Leaves, after: Leaves) -> Iterable[Row]:
    for top, places in groups.items():
        path = text_of(top)
        why = reason(kind, path, text_of(places[0]))
        yield Row(kind=kind, object=name, field=path, what=why, value=_value(top, places, before, after))


def _value(top: Place, places: list[Place], before: Leaves, after: Leaves) -> str:
    """``10 → 3``; of several places their names; nothing of what may be secret."""
    if _SILENT.search(text_of(top)):
        return ""
    if len(places) > 1 or places[0] != top:
        if top[-1] not in _TOGETHER and not (before and after):
            return ""  # all of it
        names = [text_of(place[len(top) :]) for place in places]
        if before and after and len(names) <= _MOST_SHOWN:
            names = [f"{name} {_sides(place, before, after)}" for name, place in zip(names, places, strict=True)]
        more = f", +{len(names) - _MOST_NAMED}" if len(names) > _MOST_NAMED else ""
        return visible(", ".join(names[:_MOST_NAMED])) + more
    return _sides(places[0], before, after)


def _sides(place: Place, before: Leaves, after: Leaves) -> str:
    return " → ".join(_shown(place, side[place]) for side in (before, after) if place in side)


def _shown(place: Place, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "annotations" in place:
        return "…"
    if isinstance(value, str) and (names_a_secret(place[-1]) or credential_shape(text) is not None):
        return "…"
    return visible(text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…")


def _same(place: Place, one: Any, other: Any) -> bool:
    if one == other and isinstance(one, bool) is isinstance(other, bool):
        return True
    return bool(_AMOUNTS.intersection(place)) and same_amount(one, other)
