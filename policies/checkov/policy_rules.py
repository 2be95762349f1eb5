"""What must hold of ``policies/policies.yaml`` that its JSON Schema cannot say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta

from policies.checkov.findings import Waiver
from policies.checkov.spec import PoliciesSpec
from policies.findings import suggestion
from policies.spec import Spec

MAX_WAIVER_DAYS = 366


class RuleFinding(Spec):
    """One thing wrong at ``path`` of the document; ``is_about_key`` when the key there is what is wrong."""

    path: str
    what: str
    fix: str
    rule: str
    is_about_key: bool = False


def wrong_in(
    spec: PoliciesSpec, *, checks: Collection[str], environments: Collection[str], committed_on: date
) -> Iterator[RuleFinding]:
    """Everything that is wrong with ``spec`` where ``checks`` and ``environments`` are what there is.

    ``committed_on`` is the day of the commit that holds the document: a day
    that never changes, so that what was right once stays right.
    """
    for check in spec.severities:
        if check not in checks:
            yield _unknown_check(f"severities.{check}", check, checks, is_about_key=True)
    for environment in spec.environments:
        if environment not in environments:
            yield _unknown_environment(f"environments.{environment}", environment, environments)
    for index, waiver in enumerate(spec.waivers):
        path = f"waivers[{index}]"
        if waiver.check not in checks:
            yield _unknown_check(f"{path}.check", waiver.check, checks)
        if waiver.environment and waiver.environment not in environments:
            yield _unknown_environment(f"{path}.environment", waiver.environment, environments)
        yield from _wrong_expiry(f"{path}.expires", waiver, committed_on)


def expiry(waiver: Waiver) -> date:
    """The last day on which the waiver holds; ValueError when it names no day."""
    return date.fromisoformat(waiver.expires)


def _wrong_expiry(path: str, waiver: Waiver, committed_on: date) -> Iterator[RuleFinding]:
    try:
        last_day = expiry(waiver)
    except ValueError:
        what, fix = "there is no such day", "write a day of the calendar as YYYY-MM-DD"
        yield RuleFinding(path=path, what=what, fix=fix, rule="policies.waiver-expiry")
        return
    latest = committed_on + timedelta(days=MAX_WAIVER_DAYS)
    if last_day > latest:
        what = f"this is more than a year after the commit of {committed_on}"
        yield RuleFinding(path=path, what=what, fix=f"write {latest} or earlier", rule="policies.waiver-expiry")


def _unknown_check(path: str, check: str, checks: Collection[str], *, is_about_key: bool = False) -> RuleFinding:
    fix = suggestion(check, checks, "name a check of docs/policies.md or one of your own")
    what, rule = f"there is no check {check}", "policies.check-exists"
    return RuleFinding(path=path, what=what, fix=fix, rule=rule, is_about_key=is_about_key)


def _unknown_environment(path: str, environment: str, environments: Collection[str]) -> RuleFinding:
    fix = suggestion(environment, environments, "name a declared environment")
    what = f"there is no environment {environment}"
    return RuleFinding(path=path, what=what, fix=fix, rule="policies.environment-exists")
