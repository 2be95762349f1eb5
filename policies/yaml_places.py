"""Where things stand in a YAML file that can be read. The slow pass, for explanations only.

A path is spelled ``services[2].ports[0].name``; a key with other characters
than letters, digits, ``_`` and ``-`` is found both as ``env.A.B`` and as
``env["A.B"]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from yaml._yaml import CParser
from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_INDEX = re.compile(r"\[([0-9]{1,9})\]")

Place = tuple[int, int]
Steps = list[str | int]


@dataclass(slots=True)
class _Node:
    """One value: where it and its key begin, and what is below it."""

    place: Place
    key_place: Place | None
    keys: dict[str, _Node] = field(default_factory=dict)
    items: list[_Node] = field(default_factory=list)
    is_scalar: bool = False


class Places:
    """Line and column, both from 1, of every key and value of one document.

    A tree, not a table of paths: its size grows with the file and nothing else.
    """

    def __init__(self, data: bytes) -> None:
        """Walk ``data``, which :func:`policies.yaml_reader.examine` found no fatal fault with."""
        self._next_event: Callable[[], Any] = CParser(data).get_event
        self._next_event()
        self._next_event()
        self._root = self._node(self._next_event(), None)

    def of(self, path: str) -> Place:
        """Where a person should look for ``path``: at a plain value, at the key of anything larger.

        What is not there is looked for where it would have been.
        """
        node, _ = self._find(path)
        return node.place if node.is_scalar or node.key_place is None else node.key_place

    def of_key(self, path: str) -> Place:
        """Where the key stands that ``path`` ends with."""
        node, is_found = self._find(path)
        return node.key_place if is_found and node.key_place is not None else self.of(path)

    def path_at(self, place: Place) -> str:
        """The path of the value or key that begins at ``place``; empty when none does."""
        pending: list[tuple[_Node, Steps]] = [(self._root, [])]
        while pending:
            node, steps = pending.pop()
            if place in {node.place, node.key_place} and steps:
                return spell(steps)
            pending += [(below, [*steps, key]) for key, below in node.keys.items()]
            pending += [(below, [*steps, index]) for index, below in enumerate(node.items)]
        return ""

    def _find(self, path: str) -> tuple[_Node, bool]:
        """The node at ``path``, else the nearest one above it."""
        node, rest = self._root, path
        while rest:
            below = _step(node, rest)
            if below is None:
                return node, False
            node, rest = below
        return node, True

    def _node(self, event: Any, key_place: Place | None) -> _Node:
        node = _Node(_place(event), key_place, is_scalar=isinstance(event, ScalarEvent))
        if isinstance(event, MappingStartEvent):
            while not isinstance(key := self._next_event(), MappingEndEvent):
                node.keys.setdefault(key.value, self._node(self._next_event(), _place(key)))
        elif isinstance(event, SequenceStartEvent):
            while not isinstance(item := self._next_event(), SequenceEndEvent):
                node.items.append(self._node(item, None))
        return node


def _step(node: _Node, path: str) -> tuple[_Node, str] | None:
    """The node that the beginning of ``path`` leads to and the rest of the path."""
    index = _INDEX.match(path)
    if index is not None:
        number = int(index.group(1))
        return (node.items[number], path[index.end() :]) if number < len(node.items) else None
    # The longest first: a key may hold dots.
    for key in sorted(node.keys, key=len, reverse=True):
        for spelled in (key, f".{key}", _quoted(key)):
            if spelled and path.startswith(spelled) and path[len(spelled) :][:1] in {"", ".", "["}:
                return node.keys[key], path[len(spelled) :]
    return None


def spell(steps: Steps) -> str:
    """The path with ``steps``: ``["services", 2, "image"]`` is ``services[2].image``."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            path += f".{step}" if path else step
        else:
            path += _quoted(step)
    return path


def _quoted(key: str) -> str:
    return f"[{json.dumps(key, ensure_ascii=False)}]"


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1
