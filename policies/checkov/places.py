"""Findings about rendered objects → the line of the declaration that caused them, as the head commit has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from policies.checkov.catalogue import CATALOGUE
from policies.checkov.findings import PolicyFinding
from policies.findings import environment_file, tenant_file
from policies.tree import Tree
from policies.yaml_places import Places
from policies.yaml_reader import RefusedError, read


def placed(findings: Sequence[PolicyFinding], tree: Tree) -> tuple[PolicyFinding, ...]:
    """``findings`` with file, path, line and column; the file alone where it cannot be read."""
    files = sorted({_file(found) for found in findings} & tree.entries().keys())
    documents = {file: _Document(data) for file, data in zip(files, tree.read_many(files), strict=True)}
    return tuple(_placed(found, documents.get(_file(found))) for found in findings)


class _Document:
    """A declaration as plain data and with the places of everything in it."""

    def __init__(self, data: bytes) -> None:
        try:
            self.content: Any = read(data)
            self.places: Places | None = Places(data)
        except RefusedError:
            self.content, self.places = None, None

    def path(self, unit: str, fields: Iterable[str]) -> str:
        """Where the first of ``fields`` stands that the declaration of ``unit`` has; else the unit itself."""
        base, declared = self._declaration(unit)
        here = next((field for field in fields if _has(declared, field)), next(iter(fields), ""))
        return ".".join(part for part in (base, here) if part)

    def _declaration(self, unit: str) -> tuple[str, Any]:
        kind, _, name = unit.partition("/")
        if kind != "service" or not isinstance(self.content, dict):
            return "", self.content
        for index, service in enumerate(self.content.get("services") or ()):
            if isinstance(service, dict) and service.get("name") == name:
                return f"services[{index}]", service
        return "services", None


def _placed(found: PolicyFinding, document: _Document | None) -> PolicyFinding:
    known = CATALOGUE.get(found.check)
    # A tenant or an environment without a telling field is found by its name.
    fields = (known.fields if known is not None else ()) or (() if found.unit.startswith("service/") else ("name",))
    if document is None or document.places is None:
        return msgspec.structs.replace(found, file=_file(found))
    path = document.path(found.unit, fields)
    line, column = document.places.of(path)
    return msgspec.structs.replace(found, file=_file(found), path=path, line=line, column=column)


def _file(found: PolicyFinding) -> str:
    kind, _, name = found.unit.partition("/")
    if kind == "tenant":
        return tenant_file(name)
    return environment_file(found.environment, "services" if kind == "service" else "environment")


def _has(declared: Any, field: str) -> bool:
    """Whether ``declared`` has something at the dotted ``field``."""
    for part in field.split("."):
        if not isinstance(declared, dict) or part not in declared:
            return False
        declared = declared[part]
    return True
