"""Where every value of a YAML text begins and ends, as offsets of characters, so that it can be cut out. Pure.

Only for texts that :func:`policies.yaml_reader.read` accepts: no anchors, no
tags, no merge keys, one document, text keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from yaml._yaml import CParser
from yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent

Kind = Literal["scalar", "mapping", "list"]
BLOCK_SCALARS = frozenset({"|", ">"})
_BLANKS_AND_COLON = re.compile(r"[ \t]*:")


@dataclass(slots=True)
class Node:
    """One value. ``end`` is where its own text ends: neither comments nor blank lines after it belong to it.

    ``line`` and ``column`` count from 0. ``style`` is how a scalar is quoted
    (``"``, ``'``, ``|``, ``>``), empty when it is plain. A mapping has
    ``keys`` beside its ``children``, a list has none.
    """

    kind: Kind
    start: int
    end: int
    line: int
    column: int
    style: str = ""
    is_flow: bool = False
    keys: list[tuple[str, Node]] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def index_of(self, step: str | int) -> int | None:
        """The place among the children of a key or an index; None when there is no such child."""
        if isinstance(step, int):
            return step if self.kind == "list" and 0 <= step < len(self.children) else None
        names = [name for name, _ in self.keys]
        return names.index(step) if step in names else None


@dataclass(frozen=True, slots=True)
class Found:
    """A value in its place. ``lead_end`` is where its key and colon, or its dash, end: the value follows.

    ``parent`` is None for the whole document; ``lead_column`` is where the key or dash begins.
    """

    node: Node
    parent: Node | None
    index: int
    lead_end: int
    lead_column: int


def spans_of(text: str) -> Node:
    """The document in ``text``. Raises yaml.YAMLError for what is no YAML."""
    next_event: Callable[[], Any] = CParser(text.encode()).get_event
    next_event(), next_event()
    return _node(text, next_event(), next_event)


def find(text: str, root: Node, path: Sequence[str | int]) -> Found | None:
    """The value at ``path``, None when it is not there or its key is written in an unusual way."""
    found = Found(root, None, 0, 0, 0)
    for step in path:
        node = found.node
        index = node.index_of(step)
        if index is None:
            return None
        lead = _key_lead(text, node.keys[index][1]) if node.keys else item_lead(text, node, index)
        if lead is None:
            return None
        found = Found(node.children[index], node, index, *lead)
    return found


def walk(node: Node) -> Iterator[Node]:
    """``node`` and everything below it, in order."""
    pending = [node]
    while pending:
        one = pending.pop()
        yield one
        pending += reversed(one.children)


def item_lead(text: str, node: Node, index: int) -> tuple[int, int] | None:
    """Where the dash of an item ends, and its column; for an item of a flow list where the item begins."""
    child = node.children[index]
    if node.is_flow:
        return child.start, child.column
    # The dash is on the item's line or, past comments and blank lines, on one above it.
    line_start = text.rfind("\n", 0, child.start) + 1
    while line_start + node.column >= node.start:
        dash = line_start + node.column
        if text[dash : dash + 1] == "-" and dash < max(child.start, dash + 1) and not text[line_start:dash].strip(" -"):
            return dash + 1, node.column
        line_start = text.rfind("\n", 0, max(line_start - 1, 0)) + 1 if line_start else -node.column - 1
    return None


def _key_lead(text: str, key: Node) -> tuple[int, int] | None:
    colon = _BLANKS_AND_COLON.match(text, key.end)
    return (colon.end(), key.column) if colon is not None else None


def _node(text: str, event: Any, next_event: Callable[[], Any]) -> Node:
    begin, end = event.start_mark, event.end_mark
    node = Node("scalar", begin.index, end.index, begin.line, begin.column)
    if isinstance(event, MappingStartEvent):
        node.kind, node.is_flow = "mapping", bool(event.flow_style)
        while not isinstance(below := next_event(), MappingEndEvent):
            node.keys.append((below.value, _node(text, below, next_event)))
            node.children.append(_node(text, next_event(), next_event))
        node.end = _end(below) if node.is_flow else node.children[-1].end
    elif isinstance(event, SequenceStartEvent):
        node.kind, node.is_flow = "list", bool(event.flow_style)
        while not isinstance(below := next_event(), SequenceEndEvent):
            node.children.append(_node(text, below, next_event))
        node.end = _end(below) if node.is_flow else node.children[-1].end
    else:
        node.style = event.style or ""
        if node.style in BLOCK_SCALARS:
            node.end = max(len(text[: node.end].rstrip()), node.start + 1)
    return node


def _end(event: Any) -> int:
    return int(event.end_mark.index)
