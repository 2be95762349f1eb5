"""What must hold of ``migrations.yaml`` that its JSON Schema cannot say. Scripts are judged in ``script_files``."""

from __future__ import annotations

from collections.abc import Iterator

from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import (
    Finding,
    Rule,
    environment_file,
    environment_rule,
    repeated,
    repository_rule,
    suggestion,
)
from policies.migrations.model import FOLDER
from policies.migrations.spec import DatabaseTarget


@environment_rule("migrations.environment-matches-folder")
def environment_matches_folder(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The document says which environment it is of, and that is its folder's."""
    found = declared.migrations
    if found is not None and found.environment != environment:
        what = f"the document is for {found.environment}, its folder is {environment}"
        yield _finding(environment, "environment", what, f"write {environment}")


@environment_rule("migrations.unique-database")
def databases_are_named_once(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A database has one version."""
    for index, name, first in repeated(one.name for one in _targets(declared)):
        what = f"the database {name} already has a version in databases[{first}]"
        yield _finding(environment, f"databases[{index}].name", what, "keep one of the two")


@environment_rule("migrations.one-schema-per-tenant")
def tenants_have_one_schema(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Of all databases that tenants have, one is of each engine: a tenant's schema has one history."""
    targets = [(index, one) for index, one in enumerate(_targets(declared)) if one.used_by == "tenants"]
    for place, engine, first in repeated(one.engine for _, one in targets):
        index, target = targets[place]
        other = targets[first][1].name
        what = f"tenants on {engine} already have the schema {other}; {target.name} would be a second one in it"
        yield _finding(environment, f"databases[{index}]", what, f"merge the scripts into {other}")


@repository_rule("migrations.version-exists")
def versions_have_scripts(declarations: Declarations) -> Iterator[Finding]:
    """The database has a folder of scripts for its engine, and a script for the version."""
    for environment, declared in declarations.environments.items():
        for index, target in enumerate(_targets(declared)):
            wrong = _why_unknown(target, declarations)
            if wrong is not None:
                field, what, fix = wrong
                yield _finding(environment, f"databases[{index}].{field}", what, fix)


@environment_rule("migrations.services-fit")
def services_fit_versions(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A service is written for a version that its environment declares, or for an earlier one."""
    versions = {one.name: one.version for one in _targets(declared)}
    for index, service in enumerate(declared.services.services):
        for database, version in service.schema_versions.items():
            path = f"services[{index}].schema_versions.{database}"
            if database not in versions:
                fix = suggestion(database, versions, f"declare {database} in migrations.yaml")
                what = f"{service.name} is written for the database {database}, which {environment} does not have"
                yield Finding(file=environment_file(environment, "services"), path=path, what=what, fix=fix)
            elif version > versions[database]:
                what = (
                    f"{service.name} is written for version {version} of {database}, declared is {versions[database]}"
                )
                fix = f"write {version} in migrations.yaml, in this change or before it"
                yield Finding(file=environment_file(environment, "services"), path=path, what=what, fix=fix)


def _why_unknown(target: DatabaseTarget, declarations: Declarations) -> tuple[str, str, str] | None:
    """Field, what and fix."""
    scripts = declarations.databases.get(target.name)
    if scripts is None:
        fix = suggestion(target.name, declarations.databases, f"run `adx migrate new {target.name} DESCRIPTION`")
        return "name", f"there are no scripts in {FOLDER}/{target.name}/", fix
    if scripts.engine != target.engine:
        return "engine", f"the scripts of {target.name} are for {scripts.engine}", f"write {scripts.engine}"
    if target.version > scripts.newest:
        what = f"{target.name} has no version {target.version}, its newest is {scripts.newest}"
        return "version", what, f"write {scripts.newest} or lower, or add the script"
    return None


def _targets(declared: EnvironmentDeclarations) -> tuple[DatabaseTarget, ...]:
    return declared.migrations.databases if declared.migrations is not None else ()


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "migrations"), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    environment_matches_folder,
    databases_are_named_once,
    tenants_have_one_schema,
    versions_have_scripts,
    services_fit_versions,
)
