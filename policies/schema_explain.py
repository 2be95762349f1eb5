"""What a JSON Schema finds wrong, in words for people: what, what would be right, the nearest known name.

The compiled validator reports which keyword failed and where; this module
reads the schema there. No message quotes a value that may be secret: only what
was probably meant as one of a few known words is repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

import jsonschema_rs
import msgspec

from policies.findings import nearest
from policies.schemas import Kind, schema_for, validator_for
from policies.secrets import credential_shape, key_names_a_secret

MAX_FINDINGS = 100

Steps = list[str | int]

_TYPE_NAMES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_WORD = re.compile(r"[A-Za-z0-9_./-]{1,40}\Z")


class SchemaFinding(msgspec.Struct, frozen=True):
    """One thing wrong at ``steps`` of the document; ``is_about_key`` when the key there is what is wrong."""

    steps: Steps
    what: str
    fix: str
    is_about_key: bool = False


def findings(kind: Kind, document: Any) -> Iterator[SchemaFinding]:
    """Everything that the schema of ``kind`` finds in ``document``, at most MAX_FINDINGS."""
    return explained(validator_for(kind), schema_for(kind), document)


def explained(validator: jsonschema_rs.Validator, schema: Any, document: Any) -> Iterator[SchemaFinding]:
    """What ``validator``, made of ``schema`` and masking values, finds in ``document``, at most MAX_FINDINGS."""
    return islice(_explained(validator, schema, document), MAX_FINDINGS)


def _explained(validator: jsonschema_rs.Validator, schema: Any, document: Any) -> Iterator[SchemaFinding]:
    for error in validator.iter_errors(document):
        explain = _EXPLAIN.get(error.kind.name, _other)
        yield from explain(error, _schema_at(schema, error.schema_path[:-1]))


Explained = Iterator[SchemaFinding]
Explain = Callable[[jsonschema_rs.ValidationError, dict[str, Any]], Explained]


def _unknown_keys(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Explained:
    left = sorted(schema.get("properties", {}).keys() - _mapping(error).keys())
    for key in error.kind.value:
        match = nearest(key, left)
        hint = f"; known here: {', '.join(left[:12])}" if left else ""
        fix = f"write {match}" if match is not None else f"remove it{hint}"
        what = f"the key {_shown_key(key)} is not known"
        yield SchemaFinding([*error.instance_path, key], what, fix, is_about_key=True)


def _missing_key(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Explained:
    key = error.kind.value
    example = schema.get("properties", {}).get(key, {}).get("examples", [])
    shown = f", for example {key}: {_example(example[0])}" if example and _is_short(example[0]) else ""
    yield SchemaFinding(list(error.instance_path), f"the key {key} is missing", f"add {key}{shown}")


def _wrong_type(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Explained:
    wanted = " or ".join(_TYPE_NAMES[name] for name in error.kind.value)
    found = _type_of(error.instance)
    fix = f"write {wanted}"
    if "string" in error.kind.value and isinstance(error.instance, int | float):
        fix = "quote it, so that it stays a text"
    elif isinstance(error.instance, str) and {"integer", "number", "boolean"} & set(error.kind.value):
        fix = f"write {wanted}, without quotes"
    yield _finding(error, f"{wanted} is expected here, this is {found}", fix + _for_example(schema))


def _not_allowed(error: jsonschema_rs.ValidationError, _: dict[str, Any]) -> Explained:
    options = error.kind.value if isinstance(error.kind.value, list) else [error.kind.value]
    words = [str(option) for option in options]
    match = nearest(error.instance, words) if isinstance(error.instance, str) else None
    shown = _shown_value(error)
    listed = ", ".join(words[:12])
    fix = f"write {match}" if match is not None else f"write {'one of ' if len(words) > 1 else ''}{listed}"
    if match is not None and len(words) > 1:
        fix += f" (allowed: {listed})"
    yield _finding(error, f"{shown} is not allowed here", fix)


def _wrong_form(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Explained:
    """A pattern: people are told what the schema says in words, not the expression."""
    described = schema.get("description", "").rstrip(".")
    fix = f"write it as described: {described}" if described else f"write what matches {error.kind.value}"
    yield _finding(
        error, f"{_shown_value(error)} does not have the form that is wanted here", fix + _for_example(schema)
    )


def _wrong_key_name(error: jsonschema_rs.ValidationError, wanted: dict[str, Any]) -> Explained:
    """``wanted`` is what all keys must satisfy; the validator does not say which of them does not."""
    validator = jsonschema_rs.Draft202012Validator(wanted, pattern_options=jsonschema_rs.RegexOptions())
    for key in _mapping(error):
        if not validator.is_valid(key):
            fix = f"use at most {wanted.get('maxLength', 128)} characters that match {wanted.get('pattern', '')}"
            yield SchemaFinding(
                [*error.instance_path, key], f"{_shown_key(key)} is no name here", fix, is_about_key=True
            )


def _out_of_bounds(error: jsonschema_rs.ValidationError, _: dict[str, Any]) -> Explained:
    limit = error.kind.value
    what, fix = _BOUNDS[error.kind.name]
    yield _finding(error, what.format(limit=limit), fix.format(limit=limit))


def _repeated(error: jsonschema_rs.ValidationError, _: dict[str, Any]) -> Explained:
    yield _finding(error, "something in this list is there twice", "keep one of each")


def _other(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Explained:
    """A keyword without words of its own: the validator's message, which masks values."""
    described = schema.get("description", "").rstrip(".")
    yield _finding(error, error.message, f"see: {described}" if described else "see the schema")


_BOUNDS = {
    "minimum": ("the number is below {limit}", "write {limit} or more"),
    "maximum": ("the number is above {limit}", "write {limit} or less"),
    "exclusiveMinimum": ("the number is not above {limit}", "write more than {limit}"),
    "exclusiveMaximum": ("the number is not below {limit}", "write less than {limit}"),
    "minLength": ("the text has fewer than {limit} characters", "write at least {limit}"),
    "maxLength": ("the text has more than {limit} characters", "shorten it to {limit}"),
    "minItems": ("the list has fewer than {limit} items", "add some"),
    "maxItems": ("the list has more than {limit} items", "remove some"),
    "minProperties": ("there are fewer than {limit} keys", "add some"),
    "maxProperties": ("there are more than {limit} keys", "remove some"),
}
_EXPLAIN: dict[str, Explain] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_key,
    "type": _wrong_type,
    "enum": _not_allowed,
    "const": _not_allowed,
    "pattern": _wrong_form,
    "propertyNames": _wrong_key_name,
    "uniqueItems": _repeated,
    **dict.fromkeys(_BOUNDS, _out_of_bounds),
}


def _finding(error: jsonschema_rs.ValidationError, what: str, fix: str) -> SchemaFinding:
    return SchemaFinding(list(error.instance_path), what, fix)


def _mapping(error: jsonschema_rs.ValidationError) -> dict[str, Any]:
    """The mapping that the error is about."""
    return cast("dict[str, Any]", error.instance)


def _schema_at(schema: Any, steps: Steps) -> dict[str, Any]:
    """The part of ``schema`` at ``steps``; empty where it cannot be followed."""
    for step in steps:
        try:
            schema = schema[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return schema if isinstance(schema, dict) else {}


def _type_of(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"


def _shown_value(error: jsonschema_rs.ValidationError) -> str:
    """The value, if it is one short word that cannot be a secret; else ``the value``."""
    value = error.instance
    is_secret = any(isinstance(step, str) and key_names_a_secret(step) for step in error.instance_path)
    is_word = isinstance(value, str) and _WORD.match(value) and credential_shape(value) is None
    return f'"{value}"' if is_word and not is_secret else "the value"


def _shown_key(key: str) -> str:
    return key if _WORD.match(key) and credential_shape(key) is None else json.dumps(key[:40])


def _for_example(schema: dict[str, Any]) -> str:
    examples = [example for example in schema.get("examples", []) if _is_short(example)]
    return f", for example {_example(examples[0])}" if examples else ""


def _example(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


def _is_short(value: object) -> bool:
    return len(json.dumps(value)) <= 40
