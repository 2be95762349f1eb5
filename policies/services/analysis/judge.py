"""One verdict from all rules and everything that was measured.

Fail: any rule is shown to be broken, at any look. Pass: every rule is shown to be kept. Else inconclusive, which the
last look of a bake turns into what ``at_the_end`` of the rule says; to have seen nothing at all is then a failure.

The error of a false failure is divided between looks and checks (looks.py), since any of them can fail a release. That
of a false pass is not: a release passes only if *all* checks pass, at the last look, so that a broken rule must be
missed by its own check (the intersection-union test; Berger, 1982).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from policies.services.analysis import latency, queries, rates
from policies.services.analysis.looks import Look
from policies.services.analysis.models import (
    AtTheEnd,
    Evidence,
    Finding,
    LatencyRule,
    Measured,
    Outcome,
    QueryRule,
    QueryValues,
    RateRule,
    Rules,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class _Errors:
    fail_error: float
    pass_error: float
    minimum_requests: int


def judge(rules: Rules, evidence: Evidence, look: Look) -> Verdict:
    """What ``evidence``, which has grown since the last look, says about green; at the last look pass or fail.

    ValueError when the rules hold no check at all: nothing would be shown.
    """
    errors = _Errors(
        look.share(rules.false_fail, _checks_by_chance(rules)), rules.false_pass, max(rules.minimum_requests, 1)
    )
    asked = [*_findings(rules, evidence.green, evidence.blue, errors), *_of_queries(rules, evidence, errors)]
    found = [_at_the_end(finding, at_the_end) if look.is_last else finding for at_the_end, finding in asked]
    known = {finding.check for finding in found if finding.outcome == "fail"}
    found += _broken_lately(rules, evidence, errors, known)
    if not asked:
        raise ValueError("no check is declared, so that nothing can be judged")
    return Verdict(*_summary(found, evidence), tuple(found))


def requests_needed(rules: Rules) -> int:
    """How many requests each side needs at least for the rules to be shown kept: without a failure, and none slow.

    A release with fewer only ever ends inconclusive. ValueError for a rule that no number of requests shows kept: no
    failure at all, or none more than blue has.
    """
    shares = [rules.rate.worse_by, rules.rate.at_most] if rules.rate else []
    needed = [rates.requests_needed(share, rules.false_pass) for share in shares if share is not None and share < 1]
    needed += [latency.requests_needed(rule.quantile, rules.false_pass) for rule in rules.latency]
    return max([rules.minimum_requests, *needed])


def _checks_by_chance(rules: Rules) -> int:
    """The checks that chance can fail: all but limits of queries, which are no tests; of requests also lately."""
    of_latency = [bound for rule in rules.latency for bound in (rule.worse_by, rule.at_most_seconds)]
    of_rate = [rules.rate.worse_by, rules.rate.at_most] if rules.rate else []
    of_queries = [rule.worse_by for rule in rules.queries]
    return sum(bound is not None for bound in (*(of_latency + of_rate) * 2, *of_queries))


def _findings(rules: Rules, green: Measured, blue: Measured, errors: _Errors) -> Iterator[tuple[AtTheEnd, Finding]]:
    if rules.rate is not None:
        for finding in _of_rate(rules.rate, green, blue, errors):
            yield rules.rate.at_the_end, finding
    for rule in rules.latency:
        for finding in _of_latency(rule, green, blue, errors):
            yield rule.at_the_end, finding


def _of_queries(rules: Rules, evidence: Evidence, errors: _Errors) -> Iterator[tuple[AtTheEnd, Finding]]:
    for rule in rules.queries:
        for finding in _of_query(rule, evidence.queries.get(rule.name, QueryValues()), errors):
            yield rule.at_the_end, finding


def _broken_lately(rules: Rules, evidence: Evidence, errors: _Errors, known: Collection[str]) -> Iterator[Finding]:
    """What the last few intervals alone show to be broken; that they show nothing else is no wonder, and left out.

    Checks that failed over the whole time are ``known``, and not said twice.
    """
    if evidence.recent_green is not None and evidence.recent_blue is not None:
        for _, finding in _findings(rules, evidence.recent_green, evidence.recent_blue, errors):
            if finding.outcome == "fail" and finding.check not in known:
                yield replace(finding, check=f"{finding.check}, lately")


def _of_rate(rule: RateRule, green: Measured, blue: Measured, errors: _Errors) -> Iterator[Finding]:
    given = {"fail_error": errors.fail_error, "pass_error": errors.pass_error}
    g, b = green.requests, blue.requests
    if rule.worse_by is not None and b.total == 0:
        # A release that serves nobody, or is down, must not keep its successor away: as if none of its had failed.
        missing = _too_few(f"{rates.NAME}, as blue has no requests", errors, green=g.total)
        yield missing or rates.against_limit(g, at_most=rule.worse_by, **given)
    elif rule.worse_by is not None:
        missing = _too_few(f"{rates.NAME} against blue", errors, green=g.total, blue=b.total)
        yield missing or rates.against_blue(g, b, worse_by=rule.worse_by, **given)
    if rule.at_most is not None:
        missing = _too_few(f"{rates.NAME} against the limit", errors, green=g.total)
        yield missing or rates.against_limit(g, at_most=rule.at_most, **given)


def _of_latency(rule: LatencyRule, green: Measured, blue: Measured, errors: _Errors) -> Iterator[Finding]:
    given = {"quantile": rule.quantile, "fail_error": errors.fail_error, "pass_error": errors.pass_error}
    g, b, name = green.latency, blue.latency, latency.name_of(rule.quantile)
    if rule.worse_by is not None and b.total == 0 and g.total > 0:
        yield Finding(f"{name} against blue", "pass", "blue has no requests to compare with")
    elif rule.worse_by is not None:
        missing = _too_few(f"{name} against blue", errors, green=g.total, blue=b.total)
        yield missing or latency.against_blue(g, b, worse_by=rule.worse_by, **given)
    if rule.at_most_seconds is not None:
        missing = _too_few(f"{name} against the limit", errors, green=g.total)
        yield missing or latency.against_limit(g, at_most_seconds=rule.at_most_seconds, **given)


def _of_query(rule: QueryRule, values: QueryValues, errors: _Errors) -> Iterator[Finding]:
    given = {"fail_error": errors.fail_error, "pass_error": errors.pass_error}
    if rule.at_most is not None or rule.at_least is not None:
        yield queries.against_limits(rule, values)
    if rule.worse_by is not None and values.green and not values.blue:
        yield Finding(f"{rule.name} against blue", "pass", "blue has no values to compare with")
    elif rule.worse_by is not None:
        yield queries.against_blue(rule, values, worse_by=rule.worse_by, **given)


def _too_few(check: str, errors: _Errors, **totals: int) -> Finding | None:
    """The finding when a side has fewer requests than the minimum; None when all have enough."""
    nothing = [side for side, total in totals.items() if total == 0]
    if nothing:
        return Finding(check, "inconclusive", f"no data: no requests of {' and '.join(nothing)}", is_no_data=True)
    few = [f"{side} {total}" for side, total in totals.items() if total < errors.minimum_requests]
    if few:
        wanted = f"{errors.minimum_requests} are wanted of each"
        return Finding(check, "inconclusive", f"too few requests: {', '.join(few)}; {wanted}")
    return None


def _at_the_end(finding: Finding, at_the_end: AtTheEnd) -> Finding:
    if finding.outcome != "inconclusive":
        return finding
    if finding.is_no_data:
        return replace(finding, outcome="fail", reason=f"{finding.reason} until the end, which is a failure")
    is_let_through = at_the_end == "pass"
    ending = "which the rule lets pass" if is_let_through else "which is a failure"
    return replace(finding, outcome=at_the_end, reason=f"{finding.reason}; still so at the end, {ending}")


def _summary(found: list[Finding], evidence: Evidence) -> tuple[Outcome, str]:
    """Fail before inconclusive before pass."""
    apart = "" if evidence.is_same_time else " (blue as it was before the switch)"
    outcomes: tuple[Outcome, ...] = ("fail", "inconclusive")
    for outcome in outcomes:
        such = [finding for finding in found if finding.outcome == outcome]
        if such:
            return outcome, "; ".join(f"{finding.check}: {finding.reason}" for finding in such) + apart
    return "pass", f"all {len(found)} checks hold{apart}"
