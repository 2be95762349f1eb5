"""``python -m scripts.reference``: writes docs/declarations.md from the JSON Schemas, so that neither can drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.schemas import KINDS, schema_for

TARGET = Path(__file__).resolve().parents[1] / "docs" / "declarations.md"
FILES = {
    "environment": "environments/<env>/environment.yaml",
    "services": "environments/<env>/services.yaml",
    "configuration": "environments/<env>/configuration.yaml",
    "flags": "environments/<env>/flags.yaml",
    "migrations": "environments/<env>/migrations.yaml",
    "tenant": "tenants/<tenant>.yaml",
}
BOUNDS = ("minimum", "maximum", "maxLength", "maxItems")
Schema = dict[str, Any]


def render() -> str:
    """The page."""
    lines = ["# Declarations", "", "Written by `python -m scripts.reference` from the JSON Schemas in `policies/`.", ""]
    for kind in KINDS:
        schema = schema_for(kind)
        lines += [f"## {schema['title']}", "", f"`{FILES[kind]}`. {schema.get('description', '')}", ""]
        lines += ["| field | what | kind |", "|---|---|---|"]
        lines += [
            f"| {_code(path, is_required)} | {what} | {form} |"
            for path, is_required, what, form in _rows(schema, schema)
        ]
        lines.append("")
    return "\n".join(lines)


def _rows(schema: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, bool, str, str]]:
    required = set(schema.get("required", ()))
    for name, raw in schema.get("properties", {}).items():
        found = _resolved(raw, root)
        path = f"{prefix}{name}"
        yield path, name in required, _cell(raw.get("description") or found.get("description", "")), _form(found)
        yield from _rows(found, root, f"{path}.")
        for inner, mark in ((found.get("items"), "[]"), (found.get("additionalProperties"), ".<name>")):
            if isinstance(inner, dict):
                yield from _rows(_resolved(inner, root), root, f"{path}{mark}.")


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/"):
        return schema
    found: Any = root
    for part in reference[2:].split("/"):
        found = found[part]
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _form(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(_cell(f"`{value}`") for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "value")
    bounds = ", ".join(f"{name} {schema[name]}" for name in BOUNDS if name in schema)
    default = f", default `{json.dumps(schema['default'])}`" if "default" in schema else ""
    return f"{kind if isinstance(kind, str) else ' or '.join(kind)}{f' ({bounds})' if bounds else ''}{default}"


def _code(path: str, is_required: bool) -> str:
    return f"**`{path}`**" if is_required else f"`{path}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    TARGET.write_text(render())
