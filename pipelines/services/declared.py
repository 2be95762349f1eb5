"""The services of environments as a repository declares them: from its files, or a commit.

Reads the documents of the environments that are asked about, no tenant and no script.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from policies.declarations import EnvironmentDeclarations
from policies.errors import AdxError
from policies.findings import environment_file, suggestion
from policies.folder_tree import FolderTree
from policies.git_tree import GitTree, environment_names
from policies.loader import load_documents
from policies.services.spec import ServiceSpec, ServicesSpec
from policies.services.versions import release_of
from policies.spec import Spec
from policies.tree import Tree

_DOCUMENTS = ("environment", "services", "configuration", "flags", "migrations")


class EnvironmentMissing(AdxError):
    """The repository declares no such environment."""

    exit_code = 6


class ServiceMissing(AdxError):
    """No environment that was asked about has such a service."""

    exit_code = 6


class ServiceRow(Spec):
    """One service in one environment.

    ``release`` is the semantic version that ranges are compared with, None
    where there is none; ``dependencies`` has the range of each, empty for any;
    ``delivered`` is the version that the ledger has, None where it was not asked
    or knows none; ``callers`` depend on it.
    """

    service: str
    environment: str
    version: str
    release: str | None
    image: str
    replicas: str
    owner: str
    dependencies: dict[str, str]
    callers: tuple[str, ...]
    schema_versions: dict[str, int]
    feature_flags: tuple[str, ...]
    allow_downgrade: str | None
    delivered: str | None


def tree_of(folder: Path, ref: str | None) -> Tree:
    """The files below ``folder`` as they are, or at ``ref``. Raises GitError."""
    return FolderTree(folder) if ref is None else GitTree.open(folder, ref)


def chosen_environments(tree: Tree, environment: str | None) -> list[str]:
    """``environment``, or all of them by name. Raises EnvironmentMissing."""
    known = environment_names(tree)
    if environment is None:
        return known
    if environment not in known:
        raise EnvironmentMissing(
            f"there is no environment {environment}",
            next_step=suggestion(environment, known, "declare it under environments/"),
        )
    return [environment]


def rows_of(tree: Tree, environment: str | None) -> tuple[ServiceRow, ...]:
    """Every service of ``environment`` (None: of all), by environment and name. Raises DeclarationError."""
    names = chosen_environments(tree, environment)
    specs = load_documents(tree, [environment_file(name, "services") for name in names])
    return tuple(row for name, spec in zip(names, specs, strict=True) for row in _rows(name, _services(spec)))


def environment_of(tree: Tree, environment: str) -> EnvironmentDeclarations:
    """All documents of ``environment``. Raises EnvironmentMissing and DeclarationError."""
    chosen_environments(tree, environment)
    files = {document: environment_file(environment, document) for document in _DOCUMENTS}
    # The others must be there: the loader says so when they are not.
    there = {document: file for document, file in files.items() if document != "migrations" or file in tree.entries()}
    specs: dict[str, Any] = dict(zip(there, load_documents(tree, list(there.values())), strict=True))
    return EnvironmentDeclarations(**specs)


def services_of(tree: Tree, environment: str) -> tuple[ServiceSpec, ...]:
    """The services of ``environment``; none where ``tree`` does not declare it. Raises DeclarationError."""
    file = environment_file(environment, "services")
    return _services(load_documents(tree, [file])[0]) if file in tree.entries() else ()


def _services(spec: Spec) -> tuple[ServiceSpec, ...]:
    if not isinstance(spec, ServicesSpec):  # the path decides the kind, the kind the model
        raise TypeError(f"{type(spec).__name__} came of services.yaml")
    return spec.services


def _rows(environment: str, services: tuple[ServiceSpec, ...]) -> list[ServiceRow]:
    return [
        ServiceRow(
            service=service.name,
            environment=environment,
            version=service.version,
            release=str(release) if (release := release_of(service)) is not None else None,
            image=service.image,
            replicas=_replicas(service),
            owner=service.owner,
            dependencies={name: service.dependency_versions.get(name, "") for name in sorted(service.dependencies)},
            callers=tuple(sorted(one.name for one in services if service.name in one.dependencies)),
            schema_versions=service.schema_versions,
            feature_flags=tuple(sorted(service.feature_flags)),
            allow_downgrade=service.allow_downgrade,
            delivered=None,
        )
        for service in sorted(services, key=lambda one: one.name)
    ]


def _replicas(service: ServiceSpec) -> str:
    """``2``, or ``3–8`` where load decides; empty where neither is declared."""
    if service.autoscaling is not None:
        return f"{service.autoscaling.min_replicas}–{service.autoscaling.max_replicas}"
    return "" if service.replicas is None else str(service.replicas)
