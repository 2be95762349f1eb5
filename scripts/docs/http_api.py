"""The page of the HTTP APIs: of migrations, read from its OpenAPI document, and of configuration."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.configuration_api import app as configuration_api
from scripts.docs.markdown import cell, code, prose, table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api" / "openapi.json"
Schema = dict[str, Any]
_ORIGIN = """\
Made from [api/openapi.json](../api/openapi.json), which `adx api serve` answers at `/openapi.json`. How it is
used: [the HTTP API of migrations](../api.md)."""
_BOUNDS = ("minLength", "maxLength", "minimum", "maximum", "maxItems", "pattern", "format")


def render() -> str:
    """The page."""
    document = json.loads(DOCUMENT.read_bytes())
    lines = [
        "# HTTP APIs",
        "",
        _ORIGIN,
        "",
        prose(document["info"]["description"]),
        "",
    ]
    for method, path, operation in operations(document):
        lines += _operation(f"{method.upper()} {path}", operation)
    lines += ["## Objects", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"### {name}", "", *_described(schema), *_fields(schema)]
    return "\n".join([*lines, *_configuration()])


def operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Every operation of the document: method, path, what is said of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _operation(title: str, operation: Schema) -> Iterator[str]:
    yield from (f"## {operation['summary']}", "", f"`{title}`", "", *_described(operation))
    yield from table(
        ("parameter", "in", "what", "kind"),
        (
            (_name(found["name"], found.get("required", False)), found["in"], _text(found), _form(found["schema"]))
            for found in operation.get("parameters", ())
        ),
    )
    body = operation.get("requestBody", {}).get("content", {})
    yield from (line for content in body.values() for line in (f"Body: {_form(content['schema'])}", ""))
    yield from table(
        ("status", "means", "answer"),
        ((code(status), _text(found), _answer(found)) for status, found in operation["responses"].items()),
    )


def _configuration() -> Iterator[str]:
    """The configuration API has no OpenAPI document: its module says what it answers, in a block."""
    said = (configuration_api.__doc__ or "").partition("::")[2]
    yield from ("## Configuration", "", "How it is used: [configuration](../configuration.md). It has no document:", "")
    request, answers, *_ = said.strip("\n").split("\n\n")
    yield from ("```text", textwrap.dedent(request), "```", "")
    yield from table(("status", "means"), (_status(line) for line in answers.splitlines() if line[0].isdigit()))


def _status(line: str) -> tuple[str, str]:
    number, _, meaning = line.partition(" ")
    return code(number), cell(prose(meaning.strip()))


def _described(found: Schema) -> list[str]:
    return [prose(found["description"]), ""] if found.get("description") else []


def _answer(response: Schema) -> str:
    return ", ".join(_form(content["schema"]) for content in response.get("content", {}).values())


def _fields(schema: Schema) -> list[str]:
    required = set(schema.get("required", ()))
    rows = (
        (_name(name, name in required), _text(found), _form(found))
        for name, found in schema.get("properties", {}).items()
    )
    return table(("member", "what", "kind"), rows)


def _name(name: str, is_required: bool) -> str:
    return f"**{code(name)}**" if is_required else code(name)


def _text(found: Schema) -> str:
    return cell(prose(found.get("description", "")))


def _form(schema: Schema) -> str:
    """The kind of a value, with its bounds; an object of the document as a link to its table."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_form(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {_form(schema.get('items', {}))}"
    bounds = ", ".join(f"{name} {code(str(schema[name]))}" for name in _BOUNDS if name in schema)
    default = f", default {code(json.dumps(schema['default']))}" if "default" in schema else ""
    return f"{kind}{f' ({bounds})' if bounds else ''}{default}"
