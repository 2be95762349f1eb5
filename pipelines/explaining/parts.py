"""Places in one document that the loader accepted: by path as people write it, by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from pipelines.explaining.address import UnknownDeclaration
from pipelines.source_lines import MASK
from policies.findings import suggestion
from policies.secrets import credential_shape, key_names_a_secret
from policies.yaml_places import Steps, spell

_ENDS = ("", ".", "[")


def steps_to(file: str, document: object, path: str) -> Steps:
    """The steps that ``path`` means: ``services.frontend``, ``services[frontend]`` and ``services[2]`` are allowed.

    Raises UnknownDeclaration with what is known at the place where the path leaves the document.
    """
    steps: Steps = []
    value, rest = document, path
    while rest:
        keys = _keys(value)
        found = _longest(keys, rest, is_first=not steps)
        if found is None:
            above = f" in {spell(steps)}" if steps else ""
            asked = rest.lstrip(".[").partition(".")[0].rstrip("]") or rest
            raise UnknownDeclaration(
                f"{file} has no {asked}{above}", next_step=suggestion(asked, keys, "name something that is there")
            )
        step, rest = found
        steps.append(step)
        value = value_at(document, steps)
    return steps


def steps_at(file: str, data: bytes, line: int) -> Steps:
    """The steps of the largest thing that begins on ``line``, or of the last one that began before it.

    Empty where that is the document itself. Raises UnknownDeclaration for a line that the file does not have.
    """
    lines = len(data.splitlines())
    if line > lines:
        raise UnknownDeclaration(f"{file} has {lines} lines, no line {line}", next_step="name a line of the file")
    last_line, found = 0, Steps()
    for begins, steps in _beginnings(yaml.compose(data, Loader=yaml.CSafeLoader), []):
        if last_line < begins <= line:
            last_line, found = begins, steps
    return found


def value_at(document: Any, steps: Steps) -> Any:
    """What stands at ``steps``."""
    for step in steps:
        document = document[step]
    return document


def shown_value(document: object, steps: Steps) -> str:
    """The JSON text of a plain value, masked where it may be a secret; empty for anything larger."""
    value = value_at(document, steps)
    if not steps or isinstance(value, dict | list):
        return ""
    is_secret = any(isinstance(step, str) and key_names_a_secret(step) for step in steps)
    if is_secret or (isinstance(value, str) and credential_shape(value) is not None):
        return MASK
    return msgspec.json.encode(value).decode()


def _keys(value: object) -> Mapping[str, str | int]:
    """How the things below ``value`` may be called, and the step to each; a list's items also by their name."""
    if isinstance(value, dict):
        return {str(key): key for key in value}
    if isinstance(value, list):
        named = {name: index for index, item in enumerate(value) if (name := _name(item))}
        return named | {str(index): index for index in range(len(value))}
    return {}


def _name(item: object) -> str:
    """What a list's item may be called; empty when it has no name."""
    name = item.get("name") if isinstance(item, dict) else item
    return name if isinstance(name, str) else ""


def _longest(keys: Mapping[str, str | int], rest: str, *, is_first: bool) -> tuple[str | int, str] | None:
    """The step that ``rest`` begins with, and what remains. The longest first: a key may hold dots."""
    for key in sorted(keys, key=len, reverse=True):
        for spelled in (f".{key}", f"[{key}]", f"[{msgspec.json.encode(key).decode()}]", *([key] if is_first else [])):
            if rest.startswith(spelled) and rest[len(spelled) :][:1] in _ENDS:
                return keys[key], rest[len(spelled) :]
    return None


def _beginnings(node: Any, steps: Steps) -> Iterator[tuple[int, Steps]]:
    """Line (from 1) and steps of everything in the document, in its order; of a key's value, the line of the key."""
    if not steps:
        yield node.start_mark.line + 1, steps
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = [*steps, key.value]
            yield key.start_mark.line + 1, below
            yield from _beginnings(value, below)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            below = [*steps, index]
            yield item.start_mark.line + 1, below
            yield from _beginnings(item, below)
