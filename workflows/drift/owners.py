"""What others than ADX have put into an object, and who: as the API server keeps book of it. Pure.

Every field of an object has managers (``metadata.managedFields``). ADX applies
all its fields as one manager per environment; what another has set, and is
otherwise than it was applied, somebody changed or added. Subresources are left
out: controllers report their status there, autoscalers set replicas.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from policies.change_set import FieldChange
from policies.spec import Spec
from workflows.drift.fields import change_of, joined, short

Json = Mapping[str, Any]
MANAGER_ANNOTATION = "pulumi.com/patchFieldManager"
_ABSENT = object()


class ForeignField(Spec):
    """A field (before: applied, after: live) that ``manager`` has set; ``pointer`` (RFC 6901) is where it is live."""

    change: FieldChange
    manager: str
    pointer: str


def foreign_fields(applied: Json, live: Json, managed: list[Json]) -> Iterator[ForeignField]:
    """The fields that another manager than that of ``applied`` has made other than they were applied.

    ``live`` is the object without what moves by itself; ``managed`` its ``metadata.managedFields``.
    """
    own = own_manager(applied)
    for entry in managed:
        if entry.get("manager") != own and not entry.get("subresource"):
            for change, pointer in _changes(entry.get("fieldsV1") or {}, applied, live, "", ""):
                yield ForeignField(change=change, manager=str(entry.get("manager", "")), pointer=pointer)


def own_manager(applied: Json) -> str:
    """The field manager that ``applied`` was applied as; empty where it does not say."""
    return str((applied["metadata"].get("annotations") or {}).get(MANAGER_ANNOTATION, ""))


def scaler_of(managed: list[Json]) -> str:
    """Who has set the number of replicas as autoscalers and `kubectl scale` do; empty where nobody has."""
    entries = (one for one in managed if one.get("subresource") == "scale")
    return next((str(one.get("manager", "")) for one in entries if _sets_replicas(one)), "")


def without_fields_of(managers: Collection[str], applied: Json, managed: list[Json]) -> dict[str, Any]:
    """``applied`` without what one of ``managers`` has set, also through the subresource by which one scales."""
    body = copy.deepcopy(dict(applied))
    for entry in managed:
        if entry.get("manager") in managers and entry.get("subresource") in (None, "", "scale"):
            _take_off(body, entry.get("fieldsV1") or {})
    return body


def _take_off(value: Any, fields: Json) -> None:
    for key, below in fields.items():
        item = _item(value, key) if key != "." else _ABSENT
        if item is _ABSENT:
            continue
        if [name for name in below if name != "."]:
            _take_off(item, below)
        elif isinstance(value, dict):
            del value[key.partition(":")[2]]
        else:
            value.remove(item)


def _sets_replicas(entry: Json) -> bool:
    return "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})


def _changes(fields: Json, applied: Any, live: Any, path: str, pointer: str) -> Iterator[tuple[FieldChange, str]]:
    below = {key: value for key, value in fields.items() if key != "."}
    if not below and applied != live:
        yield change_of(path, applied, live), pointer
    for key, value in below.items():
        one, other = _item(applied, key), _item(live, key)
        if other is _ABSENT:
            continue
        here, there = f"{path}{_spelled(key, path, live)}", f"{pointer}/{_step(key, live, other)}"
        if one is _ABSENT:
            yield change_of(here, None, short(other)), there
        else:
            yield from _changes(value, one, other, here, there)


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


def _step(key: str, live: Any, item: Any) -> str:
    """One step of a JSON pointer."""
    if isinstance(live, list):
        return str(live.index(item))
    return key.partition(":")[2].replace("~", "~0").replace("/", "~1")


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
