"""Why a user gets what it gets of a flag: everything that is asked, in order, and what came of it. Pure.

The words for people; what is given is decided by the evaluator, and a test
holds the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from policies.configuration.flags.bucketing import PARTS, bucket_of
from policies.configuration.flags.evaluator import NOTHING, Attributes, Evaluator
from policies.configuration.flags.plan import FlagPlan, PlannedRule
from policies.configuration.flags.schedules import Span
from policies.listing import first_of
from policies.spec import Spec

Verdict = Literal["holds", "fails", "decides", "not asked"]
LISTED = 5


class Step(Spec):
    """One thing that is asked, whether it held, and what was found. ``depth`` 1 is a condition of the rule above."""

    asked: str
    verdict: Verdict
    found: str = ""
    depth: int = 0


class Explanation(Spec):
    """``bucket`` is the user's place among ``buckets`` of this flag, where a share of users was chosen."""

    flag: str
    user: str | None
    variant: str | None
    steps: tuple[Step, ...]
    bucket: int | None = None
    buckets: int | None = None


def explain(
    plans: Mapping[str, FlagPlan],
    evaluator: Evaluator,
    key: str,
    user: str | None = None,
    attributes: Attributes = NOTHING,
    *,
    now: float,
) -> Explanation:
    """Why ``user`` gets what it gets of ``key`` at ``now`` (seconds since 1970). KeyError for an unknown flag."""
    return _Walk(plans[key], evaluator, user, attributes, now).told()


class _Walk:
    def __init__(
        self, plan: FlagPlan, evaluator: Evaluator, user: str | None, attributes: Attributes, now: float
    ) -> None:
        self._plan = plan
        self._evaluator = evaluator
        self._user, self._attributes, self._now = user, attributes, now
        self._bucket: tuple[int, int] | None = None
        self._variant: str | None = plan.default

    def told(self) -> Explanation:
        steps = tuple(self._steps())
        bucket, buckets = self._bucket or (None, None)
        return Explanation(
            flag=self._plan.key, user=self._user, variant=self._variant, steps=steps, bucket=bucket, buckets=buckets
        )

    def _steps(self) -> Iterator[Step]:
        plan = self._plan
        if plan.disabled:
            self._variant = None
            yield Step(asked="is it switched off as a whole?", verdict="decides", found="yes: the caller's default")
            return
        for step in self._gates():
            yield step
            if step.verdict == "fails":
                yield Step(asked="default", verdict="decides", found=plan.default)
                return
            if step.verdict == "decides":
                return
        yield from self._rules()

    def _gates(self) -> Iterator[Step]:
        plan = self._plan
        if plan.span is not None:
            yield Step(asked=f"schedule: {_shown(plan.span)}", verdict=self._verdict(plan.span.holds(self._now)))
        for wanted in plan.prerequisites:
            got = self._evaluator.evaluate(wanted.flag, self._user, self._attributes, self._now)
            asked, found = f"prerequisite: {wanted.flag} is {wanted.variant}", f"it is {got.variant} ({got.reason})"
            if got.error_code is not None:
                self._variant = None
                yield Step(asked=asked, verdict="decides", found=f"{got.error_code}: {got.error_message}")
                return
            yield Step(asked=asked, verdict=self._verdict(got.variant == wanted.variant), found=found)

    def _rules(self) -> Iterator[Step]:
        is_decided = False
        for rule in self._plan.rules:
            if is_decided:
                yield Step(asked=f"rule {rule.name}", verdict="not asked")
                continue
            conditions = list(self._conditions(rule))
            is_decided = all(step.verdict == "holds" for step in conditions)
            found = self._outcome(rule) if is_decided else ""
            yield Step(asked=f"rule {rule.name}", verdict="decides" if is_decided else "fails", found=found)
            yield from conditions
        yield Step(
            asked="default",
            verdict="not asked" if is_decided else "decides",
            found="" if is_decided else self._plan.default,
        )

    def _conditions(self, rule: PlannedRule) -> Iterator[Step]:
        if rule.span is not None:
            yield self._condition(f"schedule: {_shown(rule.span)}", rule.span.holds(self._now), "")
        if rule.users is not None:
            yield self._member("user", rule.users, self._user)
        if rule.tenants is not None:
            yield self._member("tenant", rule.tenants, self._attributes.get("tenant"))
        for name, values in rule.attributes:
            yield self._member(f"attribute {name}", values, self._attributes.get(name))

    def _member(self, what: str, values: frozenset[str], value: object) -> Step:
        found = "the context has none" if value is None else f"it is {value}"
        return self._condition(f"{what} is {_listed(values)}", isinstance(value, str) and value in values, found)

    def _condition(self, asked: str, is_met: bool, found: str) -> Step:
        return Step(asked=asked, verdict=self._verdict(is_met), found=found, depth=1)

    def _outcome(self, rule: PlannedRule) -> str:
        if not rule.is_split:
            self._variant = rule.shares[0][0]
            return self._variant
        if not self._user:
            self._variant = None
            return "TARGETING_KEY_MISSING: a share of users is chosen by the targeting key"
        total = sum(weight for _, weight in rule.shares)
        bucket, begin = bucket_of(self._plan.key, self._user, total), 0
        self._bucket = (bucket, total)
        for variant, weight in rule.shares:
            if bucket < begin + weight:
                self._variant = variant
                break
            begin += weight
        place = f"{_place(bucket, total)} is in {_place(begin, total)} to {_place(begin + weight, total)}"
        return f"{self._variant}: bucket {place} of {_place(total, total)}"

    def _verdict(self, is_met: bool) -> Verdict:
        return "holds" if is_met else "fails"


def _place(bucket: int, total: int) -> str:
    """A bucket of a percentage in per cent, another as it is."""
    return f"{bucket / (PARTS // 100):.6f}".rstrip("0").rstrip(".") if total == PARTS else str(bucket)


def _listed(values: frozenset[str]) -> str:
    names = sorted(values)
    if not names:
        return "one of none"
    return ("one of " if len(names) > 1 else "") + first_of(names, LISTED)


def _shown(span: Span) -> str:
    begins = f"from {_moment(span.start)}" if math.isfinite(span.start) else ""
    ends = f"until {_moment(span.end)}" if math.isfinite(span.end) else ""
    return " ".join(part for part in (begins, ends) if part)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")
