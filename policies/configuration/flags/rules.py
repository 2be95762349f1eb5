"""The rules of feature flags: what is wrong with them, each with its place in ``flags.yaml``."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.configuration.flags import checks, prerequisites, wire
from policies.configuration.flags.checks import Check
from policies.configuration.flags.errors import FlagInvalid, FlagsTooLarge
from policies.configuration.flags.spec import FlagSpec, tenant_places
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import (
    Finding,
    Rule,
    environment_file,
    environment_rule,
    repeated,
    repository_rule,
    suggestion,
    tenant_file,
    tenant_rule,
)
from policies.tenancy.spec import TenantSpec

MAX_DELIVERED_BYTES = 1_000_000
"""Both documents of an environment's flags; Kubernetes refuses a ConfigMap of more than 1 MiB, names included."""


@environment_rule("configuration.unique-flag")
def flag_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No flag is defined twice."""
    for index, name, first in repeated(flag.name for flag in declared.flags.flags):
        what = f"the flag {name} is already defined as flags[{first}]"
        yield _finding(environment, f"flags[{index}].name", what, "merge the two, or rename one of them")


@environment_rule("configuration.flag-value")
def flags_have_the_value_of_their_type(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """The one value that is set is the one that the flag's type asks for."""
    yield from _each(environment, declared, checks.value_troubles)


@environment_rule("configuration.flag-variants")
def flags_name_variants_that_they_have(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Variants have values of one kind, and those that are named exist."""
    yield from _each(environment, declared, checks.variant_troubles)


@environment_rule("configuration.flag-rules")
def flag_rules_give_something(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Every rule of a flag gives something, can be reached, and has a name of its own."""
    yield from _each(environment, declared, checks.rule_troubles)


@environment_rule("configuration.flag-schedule")
def flag_schedules_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A flag's schedule begins and ends at times that the clocks show, in that order."""
    yield from _each(environment, declared, checks.schedule_troubles)


@environment_rule("configuration.flag-lifetime")
def flag_lifetimes_are_clear(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A flag is meant for so many days from a day, or for ever."""
    yield from _each(environment, declared, checks.lifetime_troubles)


@environment_rule("configuration.flag-prerequisite")
def flag_prerequisites_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Prerequisites are on flags and variants that there are, without a cycle, and not too deep."""
    places = {flag.name: index for index, flag in enumerate(declared.flags.flags)}
    for trouble in prerequisites.troubles({flag.name: flag for flag in declared.flags.flags}):
        path = f"flags[{places[trouble.flag]}].{trouble.path}"
        yield _finding(environment, path, f"the flag {trouble.flag}: {trouble.what}", trouble.fix)


@environment_rule("configuration.flags-size")
def flags_fit_into_a_config_map(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """All flags of an environment fit into the ConfigMap that delivers them."""
    try:
        size_bytes = delivered_bytes(environment, declared.flags.flags)
    except FlagsTooLarge as error:
        yield _finding(environment, "flags", str(error), error.next_step)
        return
    except FlagInvalid:  # whatever else is wrong has a rule of its own
        return
    if size_bytes > MAX_DELIVERED_BYTES:
        what = f"the flags take {size_bytes} bytes when they are delivered, of {MAX_DELIVERED_BYTES} that there are"
        fix = "name fewer users: give them an attribute, a tenant or a percentage"
        yield _finding(environment, "flags", what, fix)


@repository_rule("configuration.flag-tenant")
def flagged_tenants_exist(declarations: Declarations) -> Iterator[Finding]:
    """Tenants that a flag lists exist and live in its environment."""
    for environment, declared in declarations.environments.items():
        for index, flag in enumerate(declared.flags.flags):
            for place, name in tenant_places(flag):
                refusal = _why_tenant_is_unknown(name, environment, declarations)
                if refusal is not None:
                    yield _finding(environment, f"flags[{index}].{place}", *refusal)


@tenant_rule("configuration.flag-override")
def overridden_flags_are_on_or_off(name: str, tenant: TenantSpec, declarations: Declarations) -> Iterator[Finding]:
    """A tenant switches only flags that have no variants but on and off."""
    for environment, overrides in tenant.overrides.items():
        declared = declarations.environments.get(environment)
        for flag in declared.flags.flags if declared is not None else ():
            if flag.name in overrides.flags and flag.variants is not None and flag.variants.keys() != {"on", "off"}:
                what = f"the flag {flag.name} has the variants {', '.join(sorted(flag.variants))}, not on and off"
                fix = f"give the tenant a rule of its own in {environment_file(environment, 'flags')}"
                yield Finding(
                    file=tenant_file(name), path=f"overrides.{environment}.flags.{flag.name}", what=what, fix=fix
                )


def delivered_bytes(environment: str, flags: tuple[FlagSpec, ...]) -> int:
    """The size of both documents as they are delivered. Raises FlagInvalid."""
    documents = (wire.adx_document(flags), wire.flagd_document(environment, flags))
    return sum(len(msgspec.json.format(msgspec.json.encode(one), indent=2)) for one in documents)


def _each(environment: str, declared: EnvironmentDeclarations, check: Check) -> Iterator[Finding]:
    for index, flag in enumerate(declared.flags.flags):
        for trouble in check(flag):
            path = f"flags[{index}]" + (f".{trouble.path}" if trouble.path else "")
            yield _finding(environment, path, f"the flag {flag.name}: {trouble.what}", trouble.fix)


def _why_tenant_is_unknown(name: str, environment: str, declarations: Declarations) -> tuple[str, str] | None:
    tenant = declarations.tenants.get(name)
    if tenant is None:
        return f"there is no tenant {name}", suggestion(name, declarations.tenants, "add its file under tenants/")
    if environment not in tenant.environments:
        fix = f"take it out of the list, or add {environment} to the environments of the tenant"
        return f"the tenant {name} does not live in {environment}", fix
    return None


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "flags"), path=path, what=what, fix=fix)


FLAG_RULES: tuple[Rule, ...] = (
    flag_names_are_unique,
    flags_have_the_value_of_their_type,
    flags_name_variants_that_they_have,
    flag_rules_give_something,
    flag_schedules_exist,
    flag_lifetimes_are_clear,
    flag_prerequisites_exist,
    flags_fit_into_a_config_map,
    flagged_tenants_exist,
    overridden_flags_are_on_or_off,
)
