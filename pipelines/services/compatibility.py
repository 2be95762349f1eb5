"""Whether the services of an environment go together, and in which order they can start.

The judges are the rules that `adx validate` runs: here they are asked about one
environment, and their answer is laid beside everything that services need.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipelines.services.declared import environment_of, services_of
from policies import rules
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.document_problems import located
from policies.errors import Problem
from policies.findings import environment_file
from policies.loader import ordered
from policies.services.lowering import RULE, WAY_OUT, lowering
from policies.services.order import DependencyCycle, start_stages
from policies.services.spec import ServiceSpec
from policies.services.versions import release_of
from policies.spec import Spec
from policies.tree import Tree

NeedKind = Literal["service", "database", "flag"]
# The rules that say whether services go together.
COMPATIBILITY = frozenset(
    {
        "services.unique-name",
        "services.dependency-exists",
        "services.dependency-cycle",
        "services.dependency-range",
        "services.dependency-version",
        "services.flag-exists",
        "migrations.services-fit",
    }
)


class Need(Spec):
    """What one service needs of another, a database or a flag.

    ``wanted`` is the range or version, empty where any will do; ``found`` is
    what the environment declares, empty where it declares nothing of it.
    """

    service: str
    kind: NeedKind
    name: str
    wanted: str
    found: str
    is_met: bool


class Compatibility(Spec):
    """The answer. ``stages`` are the services in the order in which they can start; empty where none exists.

    ``since`` is the commit that versions were compared with, None for none.
    """

    environment: str
    commit: str | None
    since: str | None
    is_compatible: bool
    problems: tuple[Problem, ...]
    needs: tuple[Need, ...]
    stages: tuple[tuple[str, ...], ...]


def compatibility(tree: Tree, environment: str, since: Tree | None = None) -> Compatibility:
    """What ``tree`` declares for ``environment``, with lowered versions where it is compared with ``since``.

    Raises EnvironmentMissing, and DeclarationError where the documents cannot be read.
    """
    declared = environment_of(tree, environment)
    found = [*_judged(environment, declared)]
    if since is not None:
        found += _lowered(environment, services_of(since, environment), declared.services.services)
    problems = ordered(located(tree, sorted(found, key=lambda problem: problem.file)))
    return Compatibility(
        environment=environment,
        commit=tree.commit,
        since=since.commit if since is not None else None,
        is_compatible=not problems,
        problems=problems,
        needs=tuple(_needs(declared, frozenset(problem.path for problem in problems))),
        stages=_stages(declared),
    )


def _judged(environment: str, declared: EnvironmentDeclarations) -> Iterator[Problem]:
    everything = Declarations(environments={environment: declared}, tenants={})
    for problem in rules.check(everything, lambda _file, _path: (0, 0)):
        if problem.rule in COMPATIBILITY:
            yield problem


def _lowered(environment: str, before: tuple[ServiceSpec, ...], after: tuple[ServiceSpec, ...]) -> Iterator[Problem]:
    known = {service.name: service for service in before}
    for index, service in enumerate(after):
        old = known.get(service.name)
        what = lowering(old, service) if old is not None else None
        if what is not None:
            field = "version" if service.semantic_version is None else "semantic_version"
            yield Problem(
                file=environment_file(environment, "services"),
                line=0,
                column=0,
                path=f"services[{index}].{field}",
                what=what,
                fix=WAY_OUT,
                rule=RULE,
            )


def _needs(declared: EnvironmentDeclarations, wrong: frozenset[str]) -> Iterator[Need]:
    """Every need, met where none of the places that say it is in ``wrong``."""
    services = {service.name: service for service in declared.services.services}
    databases = {one.name: one.version for one in declared.migrations.databases} if declared.migrations else {}
    flags = {flag.name for flag in declared.flags.flags}
    for index, service in enumerate(declared.services.services):
        at = f"services[{index}]"
        for place, name in enumerate(service.dependencies):
            is_met = not wrong & {f"{at}.dependencies[{place}]", f"{at}.dependency_versions.{name}"}
            wanted = service.dependency_versions.get(name, "")
            found = _version(services[name]) if name in services else ""
            yield _need(service, "service", name, wanted, found, is_met=is_met)
        for name, version in service.schema_versions.items():
            found = str(databases.get(name, ""))
            is_met = f"{at}.schema_versions.{name}" not in wrong
            yield _need(service, "database", name, f">={version}", found, is_met=is_met)
        for place, name in enumerate(service.feature_flags):
            found = "declared" if name in flags else ""
            yield _need(service, "flag", name, "", found, is_met=f"{at}.feature_flags[{place}]" not in wrong)


def _need(service: ServiceSpec, kind: NeedKind, name: str, wanted: str, found: str, *, is_met: bool) -> Need:
    return Need(service=service.name, kind=kind, name=name, wanted=wanted, found=found, is_met=is_met)


def _version(service: ServiceSpec) -> str:
    """The semantic version, or the tag where there is none."""
    release = release_of(service)
    return service.version if release is None else str(release)


def _stages(declared: EnvironmentDeclarations) -> tuple[tuple[str, ...], ...]:
    try:
        return start_stages({service.name: service.dependencies for service in declared.services.services})
    except DependencyCycle:  # told by its rule, with every cycle
        return ()
