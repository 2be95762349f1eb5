"""Bytes of one YAML file → plain Python values, or everything that is wrong with it.

Reads the part of YAML that everybody reads alike: one document of mappings
with text keys, lists and scalars. Refused are anchors and aliases (a few lines
can grow to gigabytes, and a change in one place changes another unseen),
tags (they ask the reader to make objects), merge keys, duplicate keys, scalars
that mean different things in YAML 1.1 and 1.2, and deep nesting. Time and
memory are bounded by the size of the file, which is bounded itself; events are
pulled one at a time, so nothing recurses, here or in the C library.

``read`` decides and is fast; ``examine`` explains and is asked only on failure.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, NoReturn

import yaml
from yaml._yaml import CParser  # where it is defined; yaml.cyaml has it without exporting it
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from policies.spec import Spec
from policies.yaml_scalars import AmbiguousError, PlainValues
from policies.yaml_text import MAX_FILE_BYTES, Refusal, is_plain_ascii, refusals_of_characters, refusals_of_text

MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_KEY_LENGTH = 256
MAX_REFUSALS = 50

_plain_values = PlainValues()


class RefusedError(Exception):
    """The file is refused; the first thing that is wrong with it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class Examined(Spec):
    """A refused file: what is wrong and, unless that is fatal, the document as far as it can be read."""

    refusals: tuple[Refusal, ...]
    document: Any = None


Refuse = Callable[[Refusal], None]


def read(data: bytes) -> Any:
    """The document in ``data``: dict, list, str, int, float, bool, None. Raises RefusedError."""
    if len(data) > MAX_FILE_BYTES:
        raise RefusedError(too_large(len(data)))
    if not is_plain_ascii(data):
        for refusal in refusals_of_text(data):
            raise RefusedError(refusal)
    return _parse(data, _raise)


def examine(data: bytes) -> Examined:
    """Everything that is wrong with ``data``, at most MAX_REFUSALS; none when it can be read."""
    if len(data) > MAX_FILE_BYTES:
        return Examined(refusals=(too_large(len(data)),))
    found = list(islice(refusals_of_text(data), MAX_REFUSALS))
    if found:
        return Examined(refusals=tuple(found))
    try:
        document = _parse(data, _Collector(found))
    except RefusedError as error:
        return Examined(refusals=(*found, error.refusal))
    return Examined(refusals=tuple(found), document=document)


def too_large(size_bytes: int) -> Refusal:
    """The refusal of a file of ``size_bytes``, which nobody needs to have read for that."""
    what = f"the file has {size_bytes:,} bytes, {MAX_FILE_BYTES:,} are allowed"
    return Refusal(line=0, column=0, what=what, fix="split it; a declaration is small", rule="text.size")


class _Collector:
    """Keeps refusals; gives up at a fatal one and when there are too many."""

    def __init__(self, found: list[Refusal]) -> None:
        self._found = found

    def __call__(self, refusal: Refusal) -> None:
        if refusal.is_fatal or len(self._found) >= MAX_REFUSALS - 1:
            raise RefusedError(refusal)
        self._found.append(refusal)


def _raise(refusal: Refusal) -> NoReturn:
    raise RefusedError(refusal)


def _parse(data: bytes, refuse: Refuse) -> Any:
    try:
        parser = CParser(data)
        next_event = parser.get_event
        next_event()  # the start of the stream
        _start_document(next_event(), refuse)
        document = _Builder(next_event, refuse).value(next_event(), 0)
        next_event()  # the end of the document
        _end_stream(next_event(), refuse)
        if len(data) > 2 * MAX_VALUES:  # a value takes two bytes at least
            _check_count(document)
    except yaml.YAMLError as error:
        raise RefusedError(_syntax_refusal(error)) from error
    return document


def _check_count(document: Any) -> None:
    """Refuse a document of very many values: what explains its faults would take long."""
    count, pending = 0, [document]
    while pending:
        value = pending.pop()
        count += 1
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    if count > MAX_VALUES:
        what = f"the file has {count:,} values, {MAX_VALUES:,} are allowed"
        raise RefusedError(Refusal(line=0, column=0, what=what, fix="split it", rule="yaml.values"))


class _Builder:
    """Makes values of events. Calls itself once a level, MAX_DEPTH times at most."""

    __slots__ = ("_next_event", "_refuse")

    def __init__(self, next_event: Callable[[], Any], refuse: Refuse) -> None:
        self._next_event = next_event
        self._refuse = refuse

    def value(self, event: Any, depth: int) -> Any:
        """The value that ``event`` begins."""
        kind = event.__class__
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is AliasEvent:
            raise RefusedError(_at(event, *_NO_ALIASES))
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        if depth >= MAX_DEPTH:
            what = f"this is nested more than {MAX_DEPTH} levels deep"
            raise RefusedError(_at(event, what, "flatten it: no declaration needs that", "yaml.depth"))
        return self._mapping(depth + 1) if kind is MappingStartEvent else self._list(depth + 1)

    def _mapping(self, depth: int) -> dict[str, Any]:
        next_event, scalar = self._next_event, self._scalar
        mapping: dict[str, Any] = {}
        while True:
            event = next_event()
            if event.__class__ is MappingEndEvent:
                return mapping
            if event.__class__ is not ScalarEvent:
                raise RefusedError(_at(event, "a key is a list, a mapping or an alias", "write a text", "yaml.key"))
            key = scalar(event)
            if key.__class__ is not str or key in mapping or len(key) > MAX_KEY_LENGTH:
                key = self._refuse_key(event, key)
            event = next_event()
            mapping[key] = scalar(event) if event.__class__ is ScalarEvent else self.value(event, depth)

    def _list(self, depth: int) -> list[Any]:
        next_event = self._next_event
        items: list[Any] = []
        while True:
            event = next_event()
            if event.__class__ is SequenceEndEvent:
                return items
            items.append(self.value(event, depth))

    def _scalar(self, event: Any) -> Any:
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        if not event.implicit[0]:
            return event.value if event.value.isprintable() and event.value.isascii() else self._quoted(event)
        try:
            return _plain_values[event.value]
        except AmbiguousError as error:
            self._refuse(_at(event, error.what, error.fix, "yaml.ambiguous", is_fatal=False))
            return event.value

    def _quoted(self, event: Any) -> str:
        """A quoted or block scalar, which may hold by way of escapes what the text itself may not."""
        for refusal in islice(refusals_of_characters(event.value), 1):
            self._refuse(_at(event, refusal.what, refusal.fix, refusal.rule, is_fatal=False))
        return str(event.value)

    def _refuse_key(self, event: Any, key: Any) -> str:
        """The key as a text, after refusing what is wrong with it."""
        if len(event.value) > MAX_KEY_LENGTH:
            raise RefusedError(_at(event, f"a key has over {MAX_KEY_LENGTH} characters", "shorten it", "yaml.key"))
        if isinstance(key, str):
            what, fix, rule = (
                f"the key {_shown(key)} is already there above",
                "keep one of the two",
                "yaml.duplicate-key",
            )
        else:
            what, fix, rule = "a key is not a text", f'quote it: "{_shown(event.value)}"', "yaml.key"
        self._refuse(_at(event, what, fix, rule, is_fatal=False))
        return str(event.value)

    def _refuse_properties(self, event: Any) -> None:
        """An anchor or a tag before the node that ``event`` begins."""
        if event.anchor is not None:
            raise RefusedError(_at(event, *_NO_ALIASES))
        what = f"the tag {_shown(event.tag)} asks the reader to make an object of this"
        self._refuse(
            _at(event, what, "leave the tag out; quote the value if a text is meant", "yaml.tag", is_fatal=False)
        )


_NO_ALIASES = (
    "anchors and aliases are refused: few lines can grow without bound, and a change here would change other places",
    "write the value out in each place",
    "yaml.alias",
)


def _start_document(event: Any, refuse: Refuse) -> None:
    if event.__class__ is StreamEndEvent:
        raise RefusedError(
            Refusal(line=1, column=1, what="the file is empty", fix="write a declaration", rule="yaml.empty")
        )
    if event.version is not None or event.tags:
        what = "directives (%YAML, %TAG) are refused: they change what the rest means"
        refuse(_at(event, what, "delete the line", "yaml.directive", is_fatal=False))


def _end_stream(event: Any, refuse: Refuse) -> None:
    if event.__class__ is not StreamEndEvent:
        what = "a second document begins here, and only the first would be read"
        refuse(_at(event, what, "put each document into a file of its own", "yaml.documents", is_fatal=False))


def _syntax_refusal(error: yaml.YAMLError) -> Refusal:
    """What the parser complains about, in its words; they never repeat the file."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context, problem = getattr(error, "context", None), getattr(error, "problem", None) or "it cannot be read"
    return Refusal(
        line=mark.line + 1 if mark else 0,
        column=mark.column + 1 if mark else 0,
        what=f"this is not YAML: {problem}" + (f", {context}" if context else ""),
        fix="look at the indentation, colons, quotes and brackets here and in the line above",
        rule="yaml.syntax",
    )


def _at(event: Any, what: str, fix: str, rule: str, *, is_fatal: bool = True) -> Refusal:
    mark = event.start_mark
    return Refusal(line=mark.line + 1, column=mark.column + 1, what=what, fix=fix, rule=rule, is_fatal=is_fatal)


def _shown(text: str) -> str:
    """``text`` cut to a length that fits a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."
