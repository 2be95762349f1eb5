"""Runs every rule over the declarations. Says whether documents agree with one another and are safe to deliver.

Shape is checked before, by :mod:`policies.schemas`. All rules always run, so
that a person sees everything at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from policies import secrets
from policies.configuration import rules as configuration
from policies.declarations import Declarations
from policies.errors import Problem
from policies.findings import EnvironmentRule, Finding, RepositoryRule, Rule, TenantRule
from policies.infrastructure import rules as infrastructure
from policies.migrations import rules as migrations
from policies.services import rules as services
from policies.tenancy import rules as tenancy

Locate = Callable[[str, str], tuple[int, int]]

RULES: tuple[Rule, ...] = (
    *infrastructure.RULES,
    *services.RULES,
    *configuration.RULES,
    *migrations.RULES,
    *tenancy.RULES,
    *secrets.RULES,
)
_ENVIRONMENT_RULES = tuple(rule for rule in RULES if isinstance(rule, EnvironmentRule))
_TENANT_RULES = tuple(rule for rule in RULES if isinstance(rule, TenantRule))
_REPOSITORY_RULES = tuple(rule for rule in RULES if isinstance(rule, RepositoryRule))


def check(declarations: Declarations, locate: Locate) -> list[Problem]:
    """Everything that any rule finds, in the order of files and lines; empty when all is well.

    ``locate(file, path)`` gives line and column of a place in a document, both
    from 1; it is asked only about what was found.
    """
    return _problems(_findings(declarations), locate)


def check_tenants(declarations: Declarations, names: Iterable[str], locate: Locate) -> list[Problem]:
    """What the rules find that look at one tenant at a time, for the tenants ``names`` only.

    For when little changed: rules that compare tenants with one another need
    all of them and are left out.
    """
    return _problems(_tenant_findings(declarations, names), locate)


def _findings(declarations: Declarations) -> Iterator[tuple[str, Finding]]:
    for name, declared in declarations.environments.items():
        for environment_rule in _ENVIRONMENT_RULES:
            for finding in environment_rule.check(name, declared):
                yield environment_rule.id, finding
    yield from _tenant_findings(declarations, declarations.tenants)
    for repository_rule in _REPOSITORY_RULES:
        for finding in repository_rule.check(declarations):
            yield repository_rule.id, finding


def _tenant_findings(declarations: Declarations, names: Iterable[str]) -> Iterator[tuple[str, Finding]]:
    for name in names:
        tenant = declarations.tenants[name]
        for rule in _TENANT_RULES:
            for finding in rule.check(name, tenant, declarations):
                yield rule.id, finding


def _problems(findings: Iterable[tuple[str, Finding]], locate: Locate) -> list[Problem]:
    problems = [_problem(rule_id, finding, locate) for rule_id, finding in findings]
    return sorted(
        problems, key=lambda found: (found.file, found.line, found.column, found.path, found.rule, found.what)
    )


def _problem(rule_id: str, finding: Finding, locate: Locate) -> Problem:
    line, column = locate(finding.file, finding.path)
    return Problem(
        file=finding.file,
        line=line,
        column=column,
        path=finding.path,
        what=finding.what,
        fix=finding.fix,
        rule=rule_id,
    )
