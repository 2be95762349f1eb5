"""Changes values in a YAML text and nothing else: text, path and value in, text out. Pure.

Every line that does not hold the change stays as it is, byte for byte:
comments, order, quotes, alignment. So the text is cut and spliced at the
offsets of its values. (A library that loads and dumps, even ruamel.yaml's
round trip, folds long lines and indents lists its own way in lines that nobody
touched.) What was edited is read again by the loader's own reader and must be
the old document with the new value: an edit is right or it is refused.

::

    AdxError
    └── NotEditable     the text cannot be edited there safely: where, why and what to do

Refused is what the reader refuses (anchors, aliases, merge keys, tags,
duplicate keys, …) and what is written so that splicing would change more than
it should (explicit ``? keys``).
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from policies.yaml_places import spell
from policies.yaml_reader import RefusedError, read
from policies.yaml_splice import NotEditable, Path, SplicedText, nothing_at
from policies.yaml_write import Value

__all__ = ["NotEditable", "Path", "Value", "put", "remove"]


def put(text: str, path: Path, value: Value) -> str:
    """``text`` with ``value`` at ``path`` (keys and indexes); what is missing on the way is added.

    Lists and mappings that are there are changed only where they differ; the
    index after the last of a list appends. Raises NotEditable.
    """
    document = _document(text)
    wanted = _with(document, path, value)
    return _checked(_changed(text, (), document, wanted), wanted)


def remove(text: str, path: Path) -> str:
    """``text`` without the key or item at ``path``; comments around it stay. Raises NotEditable."""
    document = _document(text)
    wanted = copy.deepcopy(document)
    try:
        parent = _at(wanted, path[:-1])
        del parent[path[-1]]
    except (LookupError, TypeError):
        raise nothing_at(path) from None
    return _checked(_changed(text, (), document, wanted), wanted)


def _with(document: Any, path: Path, value: Value) -> Any:
    """A copy of ``document`` with ``value`` at ``path``."""
    if not path:
        return value
    wanted = copy.deepcopy(document)
    parent = wanted
    for number, step in enumerate(path):
        is_last = number == len(path) - 1
        if isinstance(parent, dict) and isinstance(step, str):
            parent[step] = value if is_last else ({} if parent.get(step) is None else parent[step])
        elif isinstance(parent, list) and isinstance(step, int) and 0 <= step <= len(parent):
            parent[step : step + 1] = [value if is_last else (parent[step] if step < len(parent) else {})]
        else:
            raise NotEditable(
                f"{spell(list(path[:number])) or 'the document'} has no place for {spell([step])}",
                next_step="look at the path: keys are found in mappings, indexes in lists",
            )
        parent = parent[step]
    return wanted


def _changed(text: str, path: Path, old: Any, new: Any) -> str:
    """``text`` after the fewest edits that make ``new`` of ``old`` at ``path``; each edit reads the text afresh."""
    if _same(old, new):
        return text
    if isinstance(old, dict) and isinstance(new, Mapping) and old.keys() & new.keys():
        for key in [key for key in old if key in new]:
            text = _changed(text, [*path, key], old[key], new[key])
        for key in [key for key in new if key not in old]:
            text = SplicedText(text).insert_key(path, key, new[key])
        for key in [key for key in old if key not in new]:
            text = SplicedText(text).delete([*path, key])
        return text
    if isinstance(old, list) and isinstance(new, Sequence) and not isinstance(new, str) and old and new:
        return _changed_list(text, path, old, new)
    return SplicedText(text).replace(path, new)


def _changed_list(text: str, path: Path, old: list[Any], new: Sequence[Value]) -> str:
    matcher = difflib.SequenceMatcher(a=[_canonical(one) for one in old], b=[_canonical(one) for one in new])
    opcodes = matcher.get_opcodes()
    if all(tag != "equal" for tag, *_ in opcodes) and len(old) != len(new):
        return SplicedText(text).replace(path, new)
    # From the end: so the indexes before stay what they are.
    for tag, first, last, start, stop in reversed(opcodes):
        if tag == "equal":
            continue
        paired = min(last - first, stop - start)
        for index in reversed(range(start + paired, stop)):
            text = SplicedText(text).insert_item(path, first + paired, new[index])
        for index in reversed(range(first + paired, last)):
            text = SplicedText(text).delete([*path, index])
        for index in range(paired):
            text = _changed(text, [*path, first + index], old[first + index], new[start + index])
    return text


def _document(text: str) -> Any:
    try:
        return read(text.encode())
    except RefusedError as error:
        refusal = error.refusal
        raise NotEditable(
            refusal.what, line=refusal.line, column=refusal.column, next_step=f"{refusal.fix}; then edit again"
        ) from error


def _checked(text: str, wanted: Any) -> str:
    """``text``, if the loader reads ``wanted`` from it."""
    try:
        document = read(text.encode())
    except RefusedError as error:
        raise NotEditable(
            f"an edit would leave a text that is refused: {error.refusal.what}", next_step=error.refusal.fix
        ) from error
    if not _same(document, wanted):
        raise NotEditable(
            "the text is written so that an edit would change more than the value", next_step="edit it by hand"
        )
    return text


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _same(one: Any, other: Any) -> bool:
    """Equal as YAML has it: 1, 1.0 and true are three values; the order of keys means nothing."""
    return _canonical(one) == _canonical(other)


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
