"""The proposal as YAML that people read: what is not as it was stands as a comment above the line it is about. Pure."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from pipelines.importing.model import Json, ProposedFile, Row
from pipelines.importing.services import Draft, Place
from policies.yaml_text import visible
from policies.yaml_write import Layout, Value, entry_lines, item_lines, key_text

COMMENT_WIDTH = 100
_SCHEMAS = {
    "environment": "infrastructure/schema.json",
    "services": "services/schema.json",
    "configuration": "configuration/schema.json",
    "flags": "configuration/flags.schema.json",
    "tenant": "tenancy/schema.json",
}
_LAYOUT = Layout()
_CONTAINER = re.compile(r"containers\[[^\]]*\]")
_ABOVE = re.compile(r"\Aspec\.template\.spec\.(?:containers\[[^\]]*\]\.)?")

Comments = Mapping[str, Sequence[str]]


def environment_files(
    place: Place, environment: Json | None, drafts: Sequence[Draft], rows: Sequence[Row], *, has_flags: bool
) -> tuple[ProposedFile, ...]:
    """services.yaml and configuration.yaml, and what a new environment needs beside them."""
    folder = f"environments/{place.environment}"
    common, comments = comments_of(rows, len(drafts))
    head = {"environment": place.environment}
    made = []
    if environment is not None:
        found = {row.path: [said(row)] for row in rows if row.file == f"{folder}/environment.yaml" and row.path}
        made.append(document(f"{folder}/environment.yaml", "environment", environment, found))
    services = [draft.document for draft in drafts]
    rest = [said(row) for row in rows if not row.path and row.kind in {"danger", "lost", "changed"}]
    heads = {"Beside the services:": rest, "Of every service here:": common}
    made.append(document(place.services_file, "services", head | {"services": services}, comments, heads))
    values = {draft.workload.name: draft.values for draft in drafts if draft.values}
    made.append(document(place.configuration_file, "configuration", head | {"values": values}, comments))
    if not has_flags:
        made.append(document(f"{folder}/flags.yaml", "flags", head | {"flags": []}, {}))
    return tuple(made)


def comments_of(rows: Sequence[Row], services: int) -> tuple[list[str], dict[str, list[str]]]:
    """What is the same for all services, and what is said at single places."""
    alike: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.path:
            alike[row.kind, _CONTAINER.sub("containers[]", row.field), row.what].append(row)
    common: dict[str, None] = {}
    at: dict[str, list[str]] = defaultdict(list)
    for (kind, _, what), found in alike.items():
        is_common = len(found) == services and kind in {"changed", "added"} and "services." in found[0].path
        if is_common:
            values = {row.value for row in found}
            shown = f" ({values.pop()})" if len(values) == 1 and "" not in values else ""
            common[f"{kind}: {general(found[0])}{shown}: {what}"] = None
            continue
        for row in found if kind != "added" else ():
            if (text := said(row)) not in at[row.path]:
                at[row.path].append(text)
    return list(common), at


def general(row: Row) -> str:
    """The place of a row, without the pod's and the service's container above it: the same for all services."""
    return _ABOVE.sub("", row.field) or row.field


def said(row: Row) -> str:
    """One row as a sentence of a comment; at the very line that it is about without the place."""
    value = f" ({row.value})" if row.value else ""
    if row.kind in {"guessed", "secret"} or row.path.count(".") > 1:
        return f"{row.kind}{value}: {row.what}"
    is_own = row.object.startswith("Deployment/") and row.path
    place = " ".join(part for part in ("" if is_own else row.object, general(row)) if part)
    return f"{row.kind}: {place}{value}: {row.what}"


def document(
    path: str, kind: str, body: Mapping[str, Value], comments: Comments, heads: Comments = MappingProxyType({})
) -> ProposedFile:
    """One file, with its schema for editors, ``heads`` above everything and ``comments`` by place in it."""
    steps = "/".join([".."] * path.count("/"))
    lines = [f"# yaml-language-server: $schema={steps}/policies/{_SCHEMAS[kind]}"]
    for heading, texts in heads.items():
        lines += [f"# {heading}", *_commented(texts, 0)] if texts else []
    lines += ["apiVersion: adx/v1", f"kind: {kind.capitalize()}"]
    settled = _settled(comments, body)
    for key, value in body.items():
        lines += _entry(key, value, 0, key, settled)
    return ProposedFile(path=path, text="\n".join(lines) + "\n")


def _entry(key: str, value: Value, column: int, place: str, comments: Comments) -> list[str]:
    """``key: value`` with the comments about it, and about what is below it, above their lines."""
    above = _commented(comments.get(place, ()), column)
    lead = f"{' ' * column}{key_text(key)}:"
    if not value or not _speaks_below(place, comments):
        return [*above, *entry_lines(key, value, column, _LAYOUT)]
    if isinstance(value, Mapping):
        below = (_entry(name, item, column + 2, f"{place}.{name}", comments) for name, item in value.items())
        return [*above, lead, *chain.from_iterable(below)]
    items = value if isinstance(value, list) else [value]
    return [*above, lead, *chain.from_iterable(_item(item, column + 2, place, comments) for item in items)]


def _item(item: Value, column: int, place: str, comments: Comments) -> list[str]:
    """``- name: …`` of a list of named things."""
    if not isinstance(item, Mapping) or "name" not in item:
        return item_lines(item, column, _LAYOUT)
    own = f"{place}.{item['name']}"
    lines = list(
        chain.from_iterable(_entry(key, one, column + 2, f"{own}.{key}", comments) for key, one in item.items())
    )
    first = f"{' ' * column}- {lines[0].lstrip()}"
    return [*_commented(comments.get(own, ()), column), first, *lines[1:]]


def _settled(comments: Comments, body: Mapping[str, Value]) -> dict[str, list[str]]:
    """Comments at places that there are: about one that is missing at the nearest above it."""
    known = set(_places(body, ""))
    found: dict[str, list[str]] = defaultdict(list)
    for place, texts in comments.items():
        at = place
        while at and at not in known:
            at = at.rpartition(".")[0]
        if at:
            found[at] += texts
    return found


def _places(value: Value, place: str) -> Iterator[str]:
    if place:
        yield place
    lead = f"{place}." if place else ""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _places(item, f"{lead}{key}")
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping) and "name" in item:
                yield from _places(item, f"{lead}{item['name']}")


def _speaks_below(place: str, comments: Comments) -> bool:
    return any(known.startswith(f"{place}.") and said for known, said in comments.items())


def _commented(texts: Sequence[str], column: int) -> list[str]:
    """Comments of one line each, folded; no text can end its own."""
    lead = " " * column + "# "
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            visible(text), COMMENT_WIDTH, initial_indent=lead, subsequent_indent=f"{lead}  ", break_on_hyphens=False
        )
    ]
