"""Which types columns have, as scripts say it, and whether one type holds less than another. Pure."""

from __future__ import annotations

from typing import Any

_INTEGERS = ("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT")
_TEXTS = ("TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT")
_TEXT_CHARACTERS = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 16_777_215, "LONGTEXT": 4_294_967_295}


class ColumnTypes:
    """Types by table and column, taken from statements in their order."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], Any] = {}

    def of(self, table: str, column: str) -> Any:
        """sqlglot's type; None when no script says it."""
        return self._types.get((table.lower(), column.lower()))

    def take(self, tree: Any) -> None:
        """Take notice of a statement; None (not understood) teaches nothing."""
        if tree is None:
            return
        from sqlglot import exp  # noqa: PLC0415 - takes long to load, and most repositories have no MySQL

        table = tree.find(exp.Table)
        if table is None or not isinstance(tree, exp.Create | exp.Alter):
            return
        for column in tree.find_all(exp.ColumnDef):
            kind = column.args.get("kind")
            if kind is not None:
                self._types[(table.name.lower(), column.name.lower())] = kind


def is_narrower(before: Any, after: Any) -> bool:
    """Whether a value of type ``before`` may not fit into ``after``; also when the two cannot be compared."""
    if before.sql("mysql") == after.sql("mysql"):
        return False
    old, new = _name(before), _name(after)
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(new) < _INTEGERS.index(old) or _is_unsigned(before) != _is_unsigned(after)
    if _characters(before) is not None and _characters(after) is not None:
        return (_characters(after) or 0) < (_characters(before) or 0)
    if old == new == "DECIMAL":
        (old_digits, old_scale), (new_digits, new_scale) = _digits(before), _digits(after)
        return new_scale < old_scale or new_digits - new_scale < old_digits - old_scale
    return (old, new) not in {("FLOAT", "DOUBLE"), ("DATE", "DATETIME")}


def _name(kind: Any) -> str:
    return str(kind.sql("mysql")).split("(", 1)[0].split()[0].upper()


def _is_unsigned(kind: Any) -> bool:
    return "UNSIGNED" in str(kind.sql("mysql")).upper()


def _characters(kind: Any) -> int | None:
    name = _name(kind)
    if name in _TEXTS:
        return _TEXT_CHARACTERS[name]
    if name in ("VARCHAR", "CHAR"):
        return int(kind.expressions[0].name) if kind.expressions else 1
    return None


def _digits(kind: Any) -> tuple[int, int]:
    values = [int(one.name) for one in kind.expressions]
    return (values[0] if values else 10), (values[1] if len(values) > 1 else 0)
