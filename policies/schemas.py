"""The JSON Schemas of the declarations, compiled once.

The schema files are for people and editors as much as for this module: they
describe every field. Shape only; whether documents agree with one another is
for :mod:`policies.rules`. Nothing is ever fetched: a schema may refer only to
its own ``$defs``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import jsonschema_rs

Kind = Literal["environment", "services", "configuration", "flags", "migrations", "tenant"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FOLDER = Path(__file__).parent
_FILES: dict[Kind, str] = {
    "environment": "infrastructure/schema.json",
    "services": "services/schema.json",
    "configuration": "configuration/schema.json",
    "flags": "configuration/flags.schema.json",
    "migrations": "migrations/schema.json",
    "tenant": "tenancy/schema.json",
}


def schema_path(kind: Kind) -> Path:
    """Where the schema of ``kind`` is, for editors' modelines and for documentation."""
    return _FOLDER / _FILES[kind]


@cache
def schema_for(kind: Kind) -> dict[str, Any]:
    """The schema of ``kind`` as read; shared between callers, so it must not be changed."""
    schema: dict[str, Any] = json.loads(schema_path(kind).read_bytes())
    return schema


@cache
def validator_for(kind: Kind) -> jsonschema_rs.Validator:
    """The compiled schema of ``kind``.

    Its patterns run in linear time, it never leaves the machine, and its
    messages say "the value" instead of the value, which might be a secret.
    """
    return jsonschema_rs.Draft202012Validator(
        schema_for(kind),
        pattern_options=jsonschema_rs.RegexOptions(),
        mask="the value",
        offline=True,
    )
