"""Declarations for tests: documents in memory, checked by schemas and rules as the loader would check them.

Reads trusted YAML with PyYAML; what the real reader refuses is tested beside it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from policies import rules
from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.errors import Problem
from policies.infrastructure.spec import EnvironmentSpec
from policies.migrations.spec import MigrationsSpec
from policies.schemas import Kind, validator_for
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec

BASE = Path(__file__).parent / "base_declarations"
MODELS: dict[Kind, type[Spec]] = {
    "environment": EnvironmentSpec,
    "services": ServicesSpec,
    "configuration": ConfigurationSpec,
    "flags": FlagsSpec,
    "migrations": MigrationsSpec,
    "tenant": TenantSpec,
}
Model = TypeVar("Model", bound=Spec)
Documents = dict[str, Any]

_STEP = re.compile(r"\[(\d+)\]|\[\"([^\"]+)\"\]|([^.\[]+)")


def read_documents(folder: Path) -> Documents:
    """All declarations below ``folder`` by their path in it."""
    files = [*folder.glob("environments/*/*.yaml"), *folder.glob("tenants/*.yaml")]
    return {path.relative_to(folder).as_posix(): yaml.safe_load(path.read_text("utf-8")) for path in files}


def base_documents() -> Documents:
    """A small repository without any problem, to be edited."""
    return copy.deepcopy(read_documents(BASE))


def kind_of(file: str) -> Kind:
    """The kind of the declaration in ``file``."""
    name: Any = "tenant" if file.startswith("tenants/") else Path(file).stem
    kind: Kind = name
    return kind


def declarations(documents: Documents) -> Declarations:
    """The typed declarations; their shape must be right."""
    environments = sorted({Path(file).parts[1] for file in documents if file.startswith("environments/")})
    return Declarations(
        environments={name: _environment(name, documents) for name in environments},
        tenants={
            Path(file).stem: _spec(document, TenantSpec)
            for file, document in sorted(documents.items())
            if file.startswith("tenants/")
        },
    )


def problems_of(documents: Documents) -> list[Problem]:
    """Problems of shape if there are any (rule ``schema``), else what the rules find."""
    shape = [problem for file, document in sorted(documents.items()) for problem in _shape_problems(file, document)]
    return shape or rules.check(declarations(documents), lambda file, path: (1, 1))


def edit(documents: Documents, file: str, path: str, value: object) -> None:
    """Put ``value`` at ``path`` of ``file``; an empty path replaces the document, the value ``None`` removes."""
    if not path:
        documents[file] = value
        return
    *way, last = steps(path)
    place = documents[file]
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value


def edited(edits: Mapping[str, Mapping[str, object]]) -> Documents:
    """The base documents after ``edits``: file, then path, then value."""
    documents = base_documents()
    for file, changes in edits.items():
        for path, value in changes.items():
            edit(documents, file, path, value)
    return documents


def steps(path: str) -> list[str | int]:
    """``services[2].env["A.B"]`` as keys and indexes."""
    return [int(index) if index else quoted or key for index, quoted, key in _STEP.findall(path)]


def _environment(name: str, documents: Documents) -> EnvironmentDeclarations:
    def read(document: str, model: type[Model]) -> Model:
        file = f"environments/{name}/{document}.yaml"
        return _spec(documents[file], model)

    return EnvironmentDeclarations(
        environment=read("environment", EnvironmentSpec),
        services=read("services", ServicesSpec),
        configuration=read("configuration", ConfigurationSpec),
        flags=read("flags", FlagsSpec),
    )


def _spec(document: Any, model: type[Model]) -> Model:
    fields = {key: value for key, value in document.items() if key not in {"apiVersion", "kind"}}
    return msgspec.convert(fields, model)


def _shape_problems(file: str, document: Any) -> list[Problem]:
    return [
        Problem(file=file, line=1, column=1, path=_path(error.instance_path), what=error.message, fix="", rule="schema")
        for error in validator_for(kind_of(file)).iter_errors(document)
    ]


def _path(place: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")
