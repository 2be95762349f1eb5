"""What must hold of configuration and flags that their JSON Schemas cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from policies.configuration.spec import FlagSpec
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

_VALUE_FIELDS = {"boolean": "enabled", "percentage": "percentage", "user_list": "users", "tenant_list": "tenants"}


@environment_rule("configuration.environment-matches-folder")
def environment_matches_folder(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Both documents say which environment they are of, and that is their folder's."""
    named = {"configuration": declared.configuration.environment, "flags": declared.flags.environment}
    for document, name in named.items():
        if name != environment:
            what = f"the document is for {name}, its folder is {environment}"
            yield _finding(environment, document, "environment", what, f"write {environment}")


@environment_rule("configuration.service-exists")
def configured_services_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Values are given to services that the environment runs."""
    known = {service.name for service in declared.services.services}
    for name in declared.configuration.values:
        if name not in known:
            what = f"the environment {environment} has no service {name}"
            fix = suggestion(name, known, "define it in services.yaml")
            yield _finding(environment, "configuration", f"values.{name}", what, fix)


@environment_rule("configuration.key-owner")
def keys_have_one_owner(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A service reads a key from one place: its fixed environment variables or its configuration."""
    variables = {service.name: service.env for service in declared.services.services}
    for name, values in declared.configuration.values.items():
        for key in values:
            if key in variables.get(name, {}):
                what = f"{key} of {name} is also set in its env in services.yaml"
                yield _finding(environment, "configuration", f"values.{name}.{key}", what, "keep it in one of the two")


@environment_rule("configuration.unique-flag")
def flag_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No flag is defined twice."""
    for index, name, first in repeated(flag.name for flag in declared.flags.flags):
        what = f"the flag {name} is already defined as flags[{first}]"
        yield _finding(environment, "flags", f"flags[{index}].name", what, "merge the two, or rename one of them")


@environment_rule("configuration.flag-value")
def flags_have_the_value_of_their_type(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The one value that is set is the one that the flag's type asks for."""
    for index, flag in enumerate(declared.flags.flags):
        wanted, found = _VALUE_FIELDS[flag.type], _values_of(flag)
        if wanted not in found:
            what = f"the flag {flag.name} is of type {flag.type}, but has no {wanted}"
            fix = f"set {wanted}" + (f" instead of {' and '.join(found)}" if found else "")
            yield _finding(environment, "flags", f"flags[{index}]", what, fix)
            continue
        for field in found:
            if field != wanted:
                what = f"the flag {flag.name} is of type {flag.type}, which has no {field}"
                yield _finding(environment, "flags", f"flags[{index}].{field}", what, f"leave out {field}")


@repository_rule("configuration.flag-tenant")
def flagged_tenants_exist(declarations: Declarations) -> Iterator[Finding]:
    """Tenants that a flag lists exist and live in its environment."""
    for environment, declared in declarations.environments.items():
        for index, flag in enumerate(declared.flags.flags):
            for place, name in enumerate(flag.tenants or ()):
                refusal = _why_tenant_is_unknown(name, environment, declarations)
                if refusal is not None:
                    yield _finding(environment, "flags", f"flags[{index}].tenants[{place}]", *refusal)


def _why_tenant_is_unknown(name: str, environment: str, declarations: Declarations) -> tuple[str, str] | None:
    tenant = declarations.tenants.get(name)
    if tenant is None:
        return f"there is no tenant {name}", suggestion(name, declarations.tenants, "add its file under tenants/")
    if environment not in tenant.environments:
        fix = f"take it out of the list, or add {environment} to the environments of the tenant"
        return f"the tenant {name} does not live in {environment}", fix
    return None


def _values_of(flag: FlagSpec) -> list[str]:
    return [field for field in _VALUE_FIELDS.values() if getattr(flag, field) is not None]


def _finding(environment: str, document: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, document), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    environment_matches_folder,
    configured_services_exist,
    keys_have_one_owner,
    flag_names_are_unique,
    flags_have_the_value_of_their_type,
    flagged_tenants_exist,
)
