"""What others than ADX have put into an object, and who: as the API server keeps book of it. Pure.

Every field of an object has managers (``metadata.managedFields``). ADX applies
all its fields as one manager per environment; what another has set, and is
otherwise than it was applied, somebody changed or added. Subresources are left
out: controllers report their status there, autoscalers set replicas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.drift.fields import change_of, joined, short
from policies.change_set import FieldChange
from policies.spec import Spec

Json = Mapping[str, Any]
MANAGER_ANNOTATION = "pulumi.com/patchFieldManager"
_ABSENT = object()


class ForeignField(Spec):
    """A field (before: applied, after: live) that ``manager`` has set."""

    change: FieldChange
    manager: str


def foreign_fields(applied: Json, live: Json, managed: list[Json]) -> Iterator[ForeignField]:
    """The fields that another manager than that of ``applied`` has made other than they were applied.

    ``live`` is the object without what moves by itself; ``managed`` its ``metadata.managedFields``.
    """
    own = applied["metadata"].get("annotations", {}).get(MANAGER_ANNOTATION, "")
    for entry in managed:
        if entry.get("manager") != own and not entry.get("subresource"):
            for change in _changes(entry.get("fieldsV1") or {}, applied, live, ""):
                yield ForeignField(change=change, manager=str(entry.get("manager", "")))


def _changes(fields: Json, applied: Any, live: Any, path: str) -> Iterator[FieldChange]:
    below = {key: value for key, value in fields.items() if key != "."}
    if not below and applied != live:
        yield change_of(path, applied, live)
    for key, value in below.items():
        here, one, other = f"{path}{_spelled(key, path, live)}", _item(applied, key), _item(live, key)
        if other is _ABSENT:
            continue
        if one is _ABSENT:
            yield change_of(here, None, short(other))
        else:
            yield from _changes(value, one, other, here)


def _item(value: Any, key: str) -> Any:
    """What a key of ``fieldsV1`` means below ``value``: ``f:name`` a key, ``k:{…}`` an item, ``v:…`` an element."""
    kind, _, text = key.partition(":")
    if kind == "f":
        return value.get(text, _ABSENT) if isinstance(value, dict) else _ABSENT
    if not isinstance(value, list):
        return _ABSENT
    wanted = json.loads(text)
    if kind == "v":
        return wanted if wanted in value else _ABSENT
    return next((item for item in value if isinstance(item, dict) and wanted.items() <= item.items()), _ABSENT)


def _spelled(key: str, path: str, live: Any) -> str:
    kind, _, text = key.partition(":")
    if kind == "f":
        return joined(path, text)[len(path) :]
    wanted = json.loads(text)
    if not isinstance(wanted, dict):
        return f"[{wanted}]"
    item = _item(live, key)
    name = item.get("name") if isinstance(item, dict) else None
    return f"[{name or ','.join(str(part) for part in wanted.values())}]"
