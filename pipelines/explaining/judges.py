"""Which policies look at a kind of declaration, and at the objects that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.explaining.model import RuleRow
from policies.checkov.catalogue import CATALOGUE, Check
from policies.findings import EnvironmentRule, Rule
from policies.infrastructure.spec import EnvironmentSpec
from policies.rules import RULES
from policies.schemas import Kind
from policies.services.spec import ServiceSpec
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec

_OF_AN_ENVIRONMENT: tuple[Kind, ...] = ("environment", "services", "configuration", "flags", "migrations")
# Where a rule is at home when nothing else is said below: the system in its id.
_HOMES: Mapping[str, tuple[Kind, ...]] = {
    "infrastructure": ("environment",),
    "services": ("services",),
    "configuration": ("configuration",),
    "migrations": ("migrations",),
    "tenancy": ("tenant",),
}
# Rules that compare several documents: whoever edits any of them meets the rule.
_LOOKS_AT: Mapping[str, tuple[Kind, ...]] = {
    "infrastructure.canary": ("environment", "tenant"),
    "infrastructure.test-service": ("environment", "services"),
    "infrastructure.promotion-values": ("environment", "services"),
    "services.flag-exists": ("services", "flags"),
    "configuration.environment-matches-folder": ("configuration", "flags"),
    "configuration.service-exists": ("configuration", "services"),
    "configuration.key-owner": ("configuration", "services"),
    "configuration.need-unique": ("services",),
    "configuration.need-met": ("configuration", "services"),
    "configuration.unused": ("configuration", "services"),
    "configuration.value-schema": ("configuration", "services"),
    "configuration.value": ("configuration", "services"),
    "configuration.override-value": ("configuration", "services", "tenant"),
    "configuration.secret": ("configuration", "services"),
    "configuration.override-secret": ("configuration", "services", "tenant"),
    "migrations.services-fit": ("migrations", "services"),
    "configuration.unique-flag": ("flags",),
    "configuration.flag-value": ("flags",),
    "configuration.flag-variants": ("flags",),
    "configuration.flag-rules": ("flags",),
    "configuration.flag-schedule": ("flags",),
    "configuration.flag-lifetime": ("flags",),
    "configuration.flag-prerequisite": ("flags",),
    "configuration.flags-size": ("flags",),
    "configuration.flag-tenant": ("flags", "tenant"),
    "configuration.flag-override": ("tenant", "flags"),
    "tenancy.environment-exists": ("tenant", "environment"),
    "tenancy.namespace-owner": ("tenant", "environment"),
    "tenancy.data-residency": ("tenant", "environment"),
    "tenancy.network-service": ("tenant", "services"),
    "tenancy.override-configuration": ("tenant", "configuration"),
    "tenancy.override-type": ("tenant", "configuration"),
    "tenancy.override-flag": ("tenant", "flags"),
}
_MODELS: Mapping[str, type[Spec]] = {"platform": EnvironmentSpec, "service": ServiceSpec, "tenant": TenantSpec}
# Which modules of infra/ render a kind of unit: a check that no declaration can mend names one of them.
_RENDERED_BY: Mapping[str, tuple[str, ...]] = {
    "platform": ("infrastructure.py", "metadata.py"),
    "service": ("workload.py", "services.py", "metadata.py"),
    "tenant": ("tenancy.py", "metadata.py"),
}


def kinds_of(rule: Rule) -> tuple[Kind, ...]:
    """The kinds of documents that the rule looks at."""
    system = rule.id.partition(".")[0]
    if system == "secrets":
        return _OF_AN_ENVIRONMENT if isinstance(rule, EnvironmentRule) else ("tenant",)
    return _LOOKS_AT.get(rule.id) or _HOMES.get(system, ())


def rules_for(kind: str) -> tuple[RuleRow, ...]:
    """The rules that judge documents of ``kind``, by id."""
    found = {rule.id: _sentence(rule.check.__doc__) for rule in RULES if kind in kinds_of(rule)}
    return tuple(RuleRow(id=id_, what=found[id_]) for id_ in sorted(found))


def checks_for(units: Iterable[str]) -> tuple[RuleRow, ...]:
    """The policy checks that look at what ``units`` (ids) are rendered to, by id.

    Without those that are off unless a repository says otherwise, and those of
    checkov whose findings a check of ADX's own covers.
    """
    kinds = {unit.partition("/")[0] for unit in units}
    active = (check for check in CATALOGUE.values() if check.severity != "off" and not check.covered_by)
    found = {check.id: check.title for check in active if any(_looks_at(check, kind) for kind in kinds)}
    return tuple(RuleRow(id=id_, what=f"{found[id_]}.") for id_ in sorted(found, key=_natural))


def _looks_at(check: Check, unit_kind: str) -> bool:
    """Whether a finding of the check could be mended in a declaration of that kind, or in what renders it."""
    if "infra/" in check.fix:
        return any(module in check.fix for module in _RENDERED_BY[unit_kind])
    declared = _MODELS[unit_kind].__struct_fields__
    return any(field.partition(".")[0] in declared for field in check.fields)


def _natural(id_: str) -> tuple[str, int]:
    """``ADX_K8S_2`` before ``ADX_K8S_10``."""
    name, _, number = id_.rpartition("_")
    return name, int(number) if number.isdecimal() else 0


def _sentence(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]
