"""One cut into a YAML text: a value replaced, a key or an item added or taken out. Pure.

Knows where things are and how the text is written, not whether the result is
right: :mod:`policies.yaml_edit` makes sure of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import yaml

from policies.errors import AdxError
from policies.yaml_places import spell
from policies.yaml_spans import Found, Node, find, item_lead, spans_of, walk
from policies.yaml_write import (
    Layout,
    Unwritable,
    Value,
    block_lines,
    entry_lines,
    inline_text,
    is_container,
    item_lines,
    key_text,
    scalar_text,
)

Path = Sequence[str | int]
Written = TypeVar("Written")


class NotEditable(AdxError):
    """The text cannot be edited there. ``line`` and ``column`` count from 1; 0 when no place can be named."""

    def __init__(self, what: str, *, line: int = 0, column: int = 0, next_step: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {what}" if line else what, next_step=next_step)
        self.what = what
        self.line = line
        self.column = column


def nothing_at(path: Path) -> NotEditable:
    return NotEditable(f"there is nothing at {spell(list(path)) or 'the top'}", next_step="look at the path")


@dataclass(frozen=True)
class _Splice:
    start: int
    end: int
    piece: str


class SplicedText:
    """One text that :func:`policies.yaml_reader.read` accepts. Every method returns another text.

    All raise NotEditable.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.root = spans_of(text)
        except yaml.YAMLError as error:
            raise NotEditable("an edit would leave something that is no YAML", next_step="edit it by hand") from error
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.layout = _layout_of(self.root)

    def replace(self, path: Path, value: Value) -> str:
        """With ``value`` instead of what is at ``path``."""
        found = self._found(path)
        node, in_flow = found.node, found.parent is not None and found.parent.is_flow
        is_block = is_container(value) and bool(value) and not in_flow and not (node.is_flow and node.children)
        if is_block:
            return self._apply(self._block(found, value))
        piece = self._guarded(lambda: inline_text(value, in_flow=in_flow))
        if node.kind == "scalar" and not is_container(value):
            piece = self._guarded(lambda: scalar_text(value, node.style, in_flow=in_flow))
        return self._apply(self._inline(found, piece))

    def insert_key(self, path: Path, key: str, value: Value) -> str:
        """With ``key: value`` at the end of the mapping at ``path``."""
        node = self._found(path).node
        if node.is_flow:
            piece = self._guarded(lambda: f"{key_text(key)}: {inline_text(value)}")
            return self._into_flow(path, node, len(node.children), piece, {key: value})
        lines = self._guarded(lambda: entry_lines(key, value, node.column, self.layout))
        at = self._line_end(node.end)
        return self._apply(_Splice(at, at, "".join(self.newline + line for line in lines)))

    def insert_item(self, path: Path, index: int, value: Value) -> str:
        """With ``value`` before the item ``index`` of the list at ``path``."""
        node = self._found(path).node
        if node.is_flow:
            return self._into_flow(path, node, index, self._guarded(lambda: inline_text(value)), [value])
        lines = self._guarded(lambda: item_lines(value, node.column, self.layout))
        if index == 0:
            dash = self._dash(node, 0)
            piece = self.newline.join(lines).lstrip() + self.newline + " " * node.column
            return self._apply(_Splice(dash, dash, piece))
        at = self._line_end(node.children[index - 1].end)
        return self._apply(_Splice(at, at, "".join(self.newline + line for line in lines)))

    def delete(self, path: Path) -> str:
        """Without what is at ``path``, its key or dash included; an empty mapping or list is written as such."""
        found = self._found(path)
        parent, index = found.parent, found.index
        if parent is None:
            raise nothing_at(path)
        if len(parent.children) == 1:
            return self.replace(path[:-1], {} if parent.kind == "mapping" else [])
        begin = self._begin(parent, index)
        end = parent.children[index].end
        is_last = index == len(parent.children) - 1
        if parent.is_flow:
            start = parent.children[index - 1].end if is_last else begin
            return self._apply(_Splice(start, end if is_last else self._begin(parent, index + 1), ""))
        line_start = self.text.rfind("\n", 0, begin) + 1
        if self.text[line_start:begin].strip():
            # It shares its line with the dash of what it is in: the next one takes its place.
            return self._apply(_Splice(begin, self._begin(parent, index + 1), ""))
        return self._apply(self._lines(line_start, self._line_end(end)))

    def _block(self, found: Found, value: Value) -> _Splice:
        """``value`` in block style instead of the value that was found."""
        node, text, lead_end = found.node, self.text, found.lead_end
        is_below_key = found.parent is not None and found.parent.kind == "mapping"
        is_own_line = "\n" in text[lead_end : node.start] and node.start < node.end
        was_block = bool(node.children) and not node.is_flow
        kind_stays = was_block and node.kind == ("mapping" if isinstance(value, Mapping) else "list")
        column = self.layout.column_of(value, found.lead_column) if is_below_key else found.lead_column + 2
        if kind_stays or found.parent is None or (is_own_line and not is_below_key):
            column = node.column
        body = self.newline.join(self._guarded(lambda: block_lines(value, column, self.layout)))
        if is_own_line and (was_block or not is_below_key):
            return _Splice(text.rfind("\n", 0, node.start) + 1, node.end, body)
        if kind_stays or found.parent is None:
            return _Splice(node.start, node.end, body.lstrip())
        if not is_below_key:
            return _Splice(lead_end, max(node.end, lead_end), f" {body.lstrip()}")
        line_end = self._line_end(node.end)
        comment = text[node.end : line_end].rstrip()
        return _Splice(lead_end, line_end, comment + self.newline + body)

    def _inline(self, found: Found, piece: str) -> _Splice:
        """``piece`` on the line of the key or dash instead of the value that was found."""
        node, lead_end = found.node, found.lead_end
        if node.start == node.end:
            return _Splice(lead_end, max(lead_end, node.end), f" {piece}")
        between = self.text[lead_end : node.start]
        if node.children and not node.is_flow and "\n" in between:
            # The comment on the key's line and those above the block stay where they are.
            start = self.text.rfind("\n", 0, node.start)
            return _Splice(lead_end, self._line_end(node.end), f" {piece}{self.text[lead_end:start].rstrip()}")
        return _Splice(node.start, node.end, piece)

    def _into_flow(self, path: Path, node: Node, index: int, piece: str, alone: Value) -> str:
        if not node.children:
            return self.replace(path, alone)
        if index == len(node.children):
            at = node.children[-1].end
            return self._apply(_Splice(at, at, f", {piece}"))
        at = self._begin(node, index)
        return self._apply(_Splice(at, at, f"{piece}, "))

    def _begin(self, parent: Node, index: int) -> int:
        """Where the key or the dash of a child begins; in a flow list the child itself."""
        if parent.keys:
            return parent.keys[index][1].start
        return parent.children[index].start if parent.is_flow else self._dash(parent, index)

    def _dash(self, node: Node, index: int) -> int:
        lead = item_lead(self.text, node, index)
        if lead is None:
            raise self._unusual(node)
        return lead[0] - 1

    def _found(self, path: Path) -> Found:
        found = find(self.text, self.root, path)
        if found is None:
            raise NotEditable(
                f"{spell(list(path))} is written in an unusual way (an explicit `? key`?)",
                next_step="write it as `key: value`, or edit it by hand",
            )
        return found

    def _unusual(self, node: Node) -> NotEditable:
        what = "this list is written in a way that cannot be edited safely"
        return NotEditable(what, line=node.line + 1, column=node.column + 1, next_step="edit it by hand")

    def _line_end(self, offset: int) -> int:
        """Where the line of ``offset`` ends, before its line break."""
        end = self.text.find("\n", offset)
        if end < 0:
            return len(self.text)
        return end - 1 if self.text[end - 1 : end] == "\r" and end > offset else end

    def _lines(self, start: int, end: int) -> _Splice:
        """Cuts whole lines; the last of a file takes the line break before it along."""
        following = self.text.find("\n", end)
        if following >= 0:
            return _Splice(start, following + 1, "")
        before = start - len(self.newline)
        return _Splice(max(before, 0), end, "")

    def _apply(self, splice: _Splice) -> str:
        return self.text[: splice.start] + splice.piece + self.text[splice.end :]

    @staticmethod
    def _guarded(write: Callable[[], Written]) -> Written:
        try:
            return write()
        except Unwritable as error:
            raise NotEditable(str(error), next_step="write another value") from error


def _layout_of(root: Node) -> Layout:
    """How the file is indented, by the first block below a key; what it does not show is two spaces."""
    steps: dict[str, int] = {}
    for node in walk(root):
        for (_, key), child in zip(node.keys, node.children, strict=False):
            if child.children and not child.is_flow:
                steps.setdefault(child.kind, child.column - key.column)
    return Layout(step=steps.get("mapping", 2), list_offset=steps.get("list", 2))
