"""The page docs/declarations.md, written from the JSON Schemas, so that neither can drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.checkov.documents import SCHEMA
from policies.schemas import KINDS, schema_for
from scripts.docs.markdown import cell, code, prose, table

TARGET = Path(__file__).resolve().parents[2] / "docs" / "declarations.md"
FILES = {
    "environment": "environments/<env>/environment.yaml",
    "services": "environments/<env>/services.yaml",
    "configuration": "environments/<env>/configuration.yaml",
    "flags": "environments/<env>/flags.yaml",
    "migrations": "environments/<env>/migrations.yaml",
    "tenant": "tenants/<tenant>.yaml",
    "policies": "policies/policies.yaml",
}
BOUNDS = ("minimum", "maximum", "maxLength", "maxItems")
Schema = dict[str, Any]


def render() -> str:
    """The page."""
    lines = ["# Declarations", "", "Written by `python -m scripts.docs` from the JSON Schemas in `policies/`.", ""]
    for kind, schema in schemas().items():
        lines += [f"## {schema['title']}", "", f"`{FILES[kind]}`. {prose(schema.get('description', ''))}", ""]
        rows = _rows(schema, schema)
        lines += table(("field", "what", "kind"), ((_code(path, must), what, form) for path, must, what, form in rows))
    return "\n".join(lines)


def schemas() -> dict[str, Schema]:
    """Every schema of a declaration, by its kind."""
    return {**{kind: schema_for(kind) for kind in KINDS}, "policies": json.loads(SCHEMA.read_bytes())}


def _rows(schema: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, bool, str, str]]:
    required = set(schema.get("required", ()))
    for name, raw in schema.get("properties", {}).items():
        yield _row(raw, root, f"{prefix}{name}", name in required)
        yield from _below(_resolved(raw, root), root, f"{prefix}{name}")


def _below(found: Schema, root: Schema, path: str) -> Iterator[tuple[str, bool, str, str]]:
    """What is in the field at ``path``: its members, those of its items, and those of what it holds by name."""
    yield from _rows(found, root, f"{path}.")
    if "else" in found:  # a text, or else a mapping
        yield from _below(_resolved(found["else"], root), root, path)
    for inner, place in ((found.get("items"), f"{path}[]"), (found.get("additionalProperties"), f"{path}.<name>")):
        if isinstance(inner, dict):
            is_by_name = inner is not found.get("items")
            if is_by_name and "properties" not in _resolved(inner, root):
                yield _row(inner, root, place, is_required=False)
            yield from _below(_resolved(inner, root), root, place)


def _row(raw: Schema, root: Schema, path: str, is_required: bool) -> tuple[str, bool, str, str]:
    found = _resolved(raw, root)
    return path, is_required, cell(prose(raw.get("description") or found.get("description", ""))), _form(found)


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/"):
        return schema
    found: Any = root
    for part in reference[2:].split("/"):
        found = found[part]
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _form(schema: Schema) -> str:
    default = f", default `{json.dumps(schema['default'])}`" if "default" in schema else ""
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"]) + default
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "value")
    bounds = ", ".join(f"{name} {schema[name]}" for name in BOUNDS if name in schema)
    return f"{kind if isinstance(kind, str) else ' or '.join(kind)}{f' ({bounds})' if bounds else ''}{default}"


def _code(path: str, is_required: bool) -> str:
    return f"**{code(path)}**" if is_required else code(path)
