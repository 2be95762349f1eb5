"""Plain values as YAML text that everybody reads alike. Pure; knows nothing of the text around it.

What a reader of YAML 1.1 and one of 1.2 would take for something else is
quoted, as :mod:`policies.yaml_scalars` refuses it otherwise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.yaml_scalars import AmbiguousError, plain_value

Value = str | int | float | bool | None | Sequence["Value"] | Mapping[str, "Value"]

_PLAIN = re.compile(r"[A-Za-z0-9_./(~+$\\^;=<-][^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")
_NEVER_PLAIN = re.compile(r": |:\Z| #|\A- |\A-\Z|\A---|\A\.\.\.|\s\Z")
_NEVER_PLAIN_IN_FLOW = re.compile(r"[,\[\]{}:]")


class Unwritable(ValueError):
    """The value has no form in YAML that everybody reads alike."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is indented: a mapping below its key by ``step`` spaces, a list by ``list_offset``."""

    step: int = 2
    list_offset: int = 2

    def column_of(self, value: Value, lead_column: int) -> int:
        """Where a block ``value`` begins below a key in ``lead_column``."""
        return lead_column + (self.step if isinstance(value, Mapping) else self.list_offset)


def is_container(value: Value) -> bool:
    """Whether ``value`` is a mapping or a list."""
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))


def key_text(key: str) -> str:
    """``key`` as it stands before its colon."""
    return scalar_text(key, in_flow=True)


def scalar_text(value: Value, quote: str = "", *, in_flow: bool = False) -> str:
    """A text, number, truth value or nothing on one line; a text keeps the ``quote`` it had. Raises Unwritable."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number_text(value)
    text = str(value)
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if quote not in {"'", '"'} and _is_plain(text, in_flow=in_flow):
        return text
    return json.dumps(text, ensure_ascii=False)


def inline_text(value: Value, *, in_flow: bool = True) -> str:
    """``value`` on one line, mappings and lists in braces and brackets. Raises Unwritable."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key_text(key)}: {inline_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(inline_text, value)) + "]"
    return scalar_text(value, in_flow=in_flow)


def block_lines(value: Value, column: int, layout: Layout) -> list[str]:
    """A mapping or list that holds something as lines, each indented, the first at ``column``. Raises Unwritable."""
    indent = " " * column
    if isinstance(value, Mapping):
        lines: list[str] = []
        for key, item in value.items():
            lines += _entry(f"{indent}{key_text(key)}:", item, layout.column_of(item, column), layout)
        return lines
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [line for item in items for line in item_lines(item, column, layout)]


def entry_lines(key: str, value: Value, column: int, layout: Layout) -> list[str]:
    """``key: value`` as lines at ``column``. Raises Unwritable."""
    return _entry(f"{' ' * column}{key_text(key)}:", value, layout.column_of(value, column), layout)


def item_lines(value: Value, column: int, layout: Layout) -> list[str]:
    """``- value`` as lines, the dash at ``column``. Raises Unwritable."""
    dash = f"{' ' * column}-"
    if is_container(value) and value:
        first, *rest = block_lines(value, column + 2, layout)
        return [f"{dash} {first.lstrip()}", *rest]
    return [f"{dash} {inline_text(value, in_flow=False)}"]


def _entry(lead: str, value: Value, column: int, layout: Layout) -> list[str]:
    if is_container(value) and value:
        return [lead, *block_lines(value, column, layout)]
    return [f"{lead} {inline_text(value, in_flow=False)}"]


def _number_text(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise Unwritable("infinity and not-a-number are no values here")
    text = repr(value)
    if "e" in text and "." not in text:
        # YAML 1.1 wants a point in every number with an exponent.
        text = text.replace("e", ".0e")
    try:
        read = plain_value(text)
    except AmbiguousError as error:
        raise Unwritable(error.what) from error
    if read != value or isinstance(read, float) is not isinstance(value, float):
        raise Unwritable(f"the number {text} would be read as {read}")
    return text


def _is_plain(text: str, *, in_flow: bool) -> bool:
    if not _PLAIN.match(text) or _NEVER_PLAIN.search(text) or (in_flow and _NEVER_PLAIN_IN_FLOW.search(text)):
        return False
    try:
        return plain_value(text) == text
    except AmbiguousError:
        return False
