"""Rules about from where an environment gets its versions and values, and what must hold there before."""

from __future__ import annotations

from collections.abc import Iterator

from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, repository_rule, suggestion
from policies.infrastructure.spec import EnvironmentSpec, Promotion

FLAGS = "flags"
EVERY = "*"


@repository_rule("infrastructure.promotion-source")
def promotions_come_from_another_environment(declarations: Declarations) -> Iterator[Finding]:
    """What is promoted comes from an environment that exists, never by a circle of promotions from itself."""
    sources = {name: _source(declared) for name, declared in declarations.environments.items()}
    for name, source in sources.items():
        if source is None:
            continue
        if source not in sources:
            what, others = f"there is no environment {source}", sources.keys() - {name}
            yield _finding(name, "from", what, suggestion(source, others, "name an environment of this repository"))
        elif name in _way(source, sources):
            way = " ← ".join([name, *_way(source, sources)])
            what = f"the promotions go round in a circle: {way}"
            yield _finding(name, "from", what, "let one of them come from nowhere: leave its promotion out")


@repository_rule("infrastructure.promotion-tests")
def tested_sources_have_tests(declarations: Declarations) -> Iterator[Finding]:
    """Tests that must have passed exist: without any, everything would count as tested."""
    for name, promotion, source in _with_sources(declarations):
        if promotion.tests_passed and not source.post_deployment_tests:
            what = f"the environment {promotion.from_} declares no post-deployment tests that could have passed"
            yield _finding(name, "tests_passed", what, f"declare some in {promotion.from_}, or set it to false")


@repository_rule("infrastructure.promotion-drift")
def compared_sources_are_checked(declarations: Declarations) -> Iterator[Finding]:
    """Drift that must not be there is looked for: without scheduled checks nobody would ever know."""
    for name, promotion, source in _with_sources(declarations):
        if promotion.no_drift and source.drift is None:
            what = f"the environment {promotion.from_} declares no drift, so nothing compares it with its cluster"
            yield _finding(name, "no_drift", what, f"declare drift in {promotion.from_}, or set it to false")


@environment_rule("infrastructure.promotion-values")
def chosen_values_can_be_there(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Values that follow or are kept belong to services of the environment, and none does both."""
    promotion = declared.environment.promotion
    if promotion is None:
        return
    known = {service.name for service in declared.services.services}
    for key, patterns in (("follow", promotion.follow), ("keep", promotion.keep)):
        for index, pattern in enumerate(patterns):
            service = pattern.partition(".")[0]
            if service not in {EVERY, FLAGS, *known}:
                what = f"the environment {environment} has no service {service}"
                fix = suggestion(service, known, f"name a service of it, {FLAGS} or {EVERY}")
                yield _finding(environment, f"{key}[{index}]", what, fix)
    for index, pattern in enumerate(promotion.keep):
        if pattern in promotion.follow:
            what = f"{pattern} is to follow and to be kept"
            yield _finding(environment, f"keep[{index}]", what, "take it out of one of the two")


def _source(declared: EnvironmentDeclarations) -> str | None:
    promotion: Promotion | None = declared.environment.promotion
    return promotion.from_ if promotion is not None else None


def _way(source: str, sources: dict[str, str | None]) -> list[str]:
    """The environments from ``source`` back to where its promotions begin, or until one comes again."""
    way: list[str] = []
    at: str | None = source
    while at is not None and at not in way:
        way.append(at)
        at = sources.get(at)
    return way


def _with_sources(declarations: Declarations) -> Iterator[tuple[str, Promotion, EnvironmentSpec]]:
    """Each environment that something is promoted to, its rules, and the environment that it comes from."""
    for name, declared in declarations.environments.items():
        promotion = declared.environment.promotion
        source = declarations.environments.get(promotion.from_) if promotion is not None else None
        if promotion is not None and source is not None:
            yield name, promotion, source.environment


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    file = environment_file(environment, "environment")
    return Finding(file=file, path=f"promotion.{path}", what=what, fix=fix)


PROMOTION_RULES: tuple[Rule, ...] = (
    promotions_come_from_another_environment,
    tested_sources_have_tests,
    compared_sources_are_checked,
    chosen_values_can_be_there,
)
