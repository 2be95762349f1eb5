"""Rules about what a tenant overrides: always something that exists where it is overridden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.configuration.spec import Scalar
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import Finding, Rule, suggestion, tenant_file, tenant_rule
from policies.tenancy.spec import Overrides, TenantSpec


@tenant_rule("tenancy.override-environment")
def overrides_are_for_own_environments(name: str, tenant: TenantSpec, _: Declarations) -> Iterator[Finding]:
    """A tenant overrides only where it lives."""
    for environment in tenant.overrides:
        if environment not in tenant.environments:
            what = f"the tenant overrides something in {environment}, where it does not live"
            fix = suggestion(environment, tenant.environments, "add it to the environments of the tenant")
            yield _finding(name, f"overrides.{environment}", what, fix)


@tenant_rule("tenancy.override-configuration")
def overridden_keys_exist(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """An overridden configuration key is one that the service has in that environment."""
    for environment, overrides, declared in _overrides(tenant, declarations):
        values = declared.configuration.values
        for service, own in overrides.configuration.items():
            path = f"overrides.{environment}.configuration.{service}"
            if service not in values:
                what = f"configuration.yaml of {environment} has nothing for {service}"
                yield _finding(name, path, what, suggestion(service, values, "add the service there first"))
                continue
            for key in own.keys() - values[service].keys():
                what = f"configuration.yaml of {environment} has no {key} for {service}"
                fix = suggestion(key, values[service], "add the key there first")
                yield _finding(name, f"{path}.{key}", what, fix)


@tenant_rule("tenancy.override-type")
def overriding_values_keep_the_type(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A service that reads a number keeps getting a number."""
    for environment, overrides, declared in _overrides(tenant, declarations):
        for service, own in overrides.configuration.items():
            values: Mapping[str, Scalar] = declared.configuration.values.get(service, {})
            for key in own.keys() & values.keys():
                if _type_name(own[key]) != _type_name(values[key]):
                    path = f"overrides.{environment}.configuration.{service}.{key}"
                    wanted = _type_name(values[key])
                    what = f"{key} of {service} is {wanted} in {environment}, here it is {_type_name(own[key])}"
                    yield _finding(name, path, what, f"write {wanted}")


@tenant_rule("tenancy.override-flag")
def overridden_flags_exist(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """An overridden flag is one of that environment."""
    for environment, overrides, declared in _overrides(tenant, declarations):
        known = {flag.name for flag in declared.flags.flags}
        for flag in overrides.flags:
            if flag not in known:
                what = f"flags.yaml of {environment} has no flag {flag}"
                fix = suggestion(flag, known, "declare the flag there first")
                yield _finding(name, f"overrides.{environment}.flags.{flag}", what, fix)


def _overrides(
    tenant: TenantSpec, declarations: Declarations
) -> Iterator[tuple[str, Overrides, EnvironmentDeclarations]]:
    """The overrides whose environment is declared; for others there is a rule of its own."""
    for environment, overrides in tenant.overrides.items():
        declared = declarations.environments.get(environment)
        if declared is not None:
            yield environment, overrides, declared


def _type_name(value: Scalar) -> str:
    if isinstance(value, bool):
        return "a truth value"
    return "a text" if isinstance(value, str) else "a number"


def _finding(tenant: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=tenant_file(tenant), path=path, what=what, fix=fix)


OVERRIDE_RULES: tuple[Rule, ...] = (
    overrides_are_for_own_environments,
    overridden_keys_exist,
    overriding_values_keep_the_type,
    overridden_flags_exist,
)
