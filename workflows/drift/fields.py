"""What of the applied fields of an object is otherwise in the cluster. Pure.

What is only in the cluster is not looked at here: servers fill in defaults
(see ``owners`` for what people add). Lists whose items have names are compared
by name, others by position. Paths spell names: ``containers[cart].env[PORT]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from policies.change_set import FieldChange
from policies.quantities import quantity

Json = Mapping[str, Any]
# Identity, which says which object it is, and not how it is.
_IDENTITY = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})
_QUANTITIES = re.compile(r"\.resources\.(?:requests|limits)\.|^spec\.hard\.|^spec\.limits\[")


def field_differences(applied: Json, live: Json) -> Iterator[FieldChange]:
    """The leaves of ``applied`` (before) that are otherwise, or not, in ``live`` (after)."""
    for change in _differences(applied, live, ""):
        if change.path not in _IDENTITY and not _is_same_quantity(change):
            yield change


def names_of(items: object) -> list[str]:
    """The names of a list's items; empty unless each is a mapping with a name."""
    if not isinstance(items, list):
        return []
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    return [name for name in names if isinstance(name, str)] if all(isinstance(name, str) for name in names) else []


def joined(path: str, key: str) -> str:
    """``path`` one key further."""
    return f"{path}.{key}" if path else key


def change_of(path: str, before: object, after: object) -> FieldChange:
    """One field as JSON text; None is absent."""
    return FieldChange(path=path, before=_text(before), after=_text(after))


def _differences(before: Any, after: Any, path: str) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict | None):
        for key in sorted(before):
            yield from _differences(before[key], (after or {}).get(key), joined(path, key))
    elif names_of(before):
        yield from _by_name(before, after if isinstance(after, list) else [], path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif (type(before) is not type(after) or before != after) and not (_is_nothing(before) and _is_nothing(after)):
        yield change_of(path, before, after)


def _by_name(before: Sequence[Json], after: Sequence[Any], path: str) -> Iterator[FieldChange]:
    live = {item["name"]: item for item in after if isinstance(item, dict) and "name" in item}
    for item in before:
        here, other = f"{path}[{item['name']}]", live.get(item["name"])
        if other is None:
            yield change_of(here, short(item), None)
        elif item.keys() == {"name", "value"}:
            yield from _differences(item["value"], other.get("value"), here)
        else:
            yield from _differences(item, other, here)


def short(item: object) -> object:
    """The value of a pair of name and value; anything else as it is."""
    return item["value"] if isinstance(item, dict) and item.keys() == {"name", "value"} else item


def _is_nothing(value: object) -> bool:
    """The API server leaves out what is empty, and zero where that is the default; false it keeps."""
    return value in (None, [], {}, "", 0) and not isinstance(value, bool)


def _is_same_quantity(change: FieldChange) -> bool:
    """The API server writes ``1`` for ``1000m``."""
    if not _QUANTITIES.search(change.path) or change.before is None or change.after is None:
        return False
    try:
        return quantity(str(msgspec.json.decode(change.before))) == quantity(str(msgspec.json.decode(change.after)))
    except ValueError:
        return False


def _text(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value, order="deterministic").decode()
