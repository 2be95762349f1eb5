"""A property that differs → the lines that show it, as in a diff. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import islice, takewhile

import msgspec

from policies.change_set import FieldChange

LONGEST_VALUE = 240
CONFIGURATION_DIGEST = "annotations.adx/configuration-digest"
MOST_COMPARED_LINES = 400  # comparing longer documents line by line could take seconds
_BEFORE_THE_DIFFERENCE = 40


def property_lines(field: FieldChange, longest: int = LONGEST_VALUE) -> Iterator[str]:
    """``- path: before`` and ``+ path: after``; of documents of several lines only those that differ.

    Values longer than ``longest`` characters are cut, around what differs.
    """
    if field.before == field.after:  # what differs was masked
        yield f"  {field.path}: another value, which is never shown"
        return
    old, new = _document(field.before), _document(field.after)
    if old is not None and new is not None and "\n" in old + new:
        yield f"  {field.path}:"
        for line in _differing_lines(old, new):
            yield _cut(line, longest)
        return
    if field.path.endswith(CONFIGURATION_DIGEST) and None not in (field.before, field.after):
        yield f"  {field.path}: another digest, so that pods with the old configuration restart"
        return
    start = _start(field, longest)
    if field.before is not None:
        yield f"- {field.path}: {_cut(field.before, longest, start)}"
    if field.after is not None:
        yield f"+ {field.path}: {_cut(field.after, longest, start)}"


def _document(text: str | None) -> str | None:
    """The string that the JSON ``text`` holds; None when it holds something else, or too much to be compared."""
    if text is None or not text.startswith('"'):
        return None
    try:
        value = msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        return None
    return value if value.count("\n") <= MOST_COMPARED_LINES else None


def _differing_lines(old: str, new: str) -> Iterator[str]:
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="", n=1)
    for line in islice(lines, 2, None):  # the first two would name files
        if not line.startswith("@@"):
            yield f"{line[0]}   {line[1:]}"


def _start(field: FieldChange, longest: int) -> int:
    """Where to begin, so that the difference is among what is shown."""
    before, after = field.before or "", field.after or ""
    if max(len(before), len(after)) <= longest:
        return 0
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    return max(0, common - _BEFORE_THE_DIFFERENCE) if common > longest // 2 else 0


def _cut(text: str, longest: int, start: int = 0) -> str:
    shown = text[start : start + longest]
    before = "… " if start else ""
    after = f" … ({len(text):,} characters)" if len(text) > start + longest else ""
    return f"{before}{shown}{after}"
