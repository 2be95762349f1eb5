"""Two JSON documents → the leaves that differ. Pure, stable order."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.change_set import FieldChange

_ABSENT = object()


def field_changes(before: Any, after: Any, path: str = "") -> tuple[FieldChange, ...]:
    """Each leaf that differs, with dotted path and both values as JSON text (None where absent)."""
    children = _children(before, after)
    if children is None:
        if type(before) is type(after) and before == after:
            return ()  # by type too: for Python 1 equals True
        return (FieldChange(path=path, before=_text(before), after=_text(after)),)
    return tuple(
        change
        for key, step in children
        for change in field_changes(
            _item(before, key), _item(after, key), f"{path}{step}" if path else step.lstrip(".")
        )
    )


def _children(before: Any, after: Any) -> list[tuple[Any, str]] | None:
    """The keys below both values with how a path spells them; None when one of them is a leaf."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [(key, f".{key}") for key in sorted(before.keys() | after.keys())]
    if isinstance(before, list) and isinstance(after, list):
        return [(index, f"[{index}]") for index in range(max(len(before), len(after)))]
    return None


def _item(container: Any, key: Any) -> Any:
    if isinstance(container, dict):
        return container.get(key, _ABSENT)
    return container[key] if key < len(container) else _ABSENT


def _text(value: Any) -> str | None:
    return None if value is _ABSENT else msgspec.json.encode(value, order="deterministic").decode()
