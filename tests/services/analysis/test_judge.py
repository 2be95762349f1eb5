"""The verdict over a whole deployment."""

from __future__ import annotations

import functools

import msgspec
import numpy as np
import pytest

from policies.services.analysis import binomial
from policies.services.analysis.judge import judge, requests_needed
from policies.services.analysis.looks import Look
from policies.services.analysis.models import (
    Evidence,
    Histogram,
    LatencyRule,
    Measured,
    QueryRule,
    QueryValues,
    RateRule,
    RequestCounts,
    Rules,
    Sample,
    Verdict,
)
from tests.services.analysis.chances import BOUNDS

RATE = RateRule(worse_by=0.01, at_most=0.05)
LATENCY = LatencyRule(0.95, worse_by=0.25, at_most_seconds=0.5)
RULES = Rules(rate=RATE, latency=(LATENCY,))
MIDDLE, END = Look(2, 4), Look(4, 4, is_last=True)


def measured(total: int, failed: int = 0, *, slow: bool = False) -> Measured:
    """All requests take 5 to 6 ms, or 1.5 s."""
    counts = tuple(total if bound >= (2 if slow else 0.006) else 0 for bound in BOUNDS)
    return Measured(RequestCounts(total, failed), Histogram(BOUNDS, (*counts, total)))


GOOD, BLUE = measured(2000), measured(3000, 1)


@pytest.mark.parametrize(
    ("green", "blue", "look", "outcome", "said"),
    [
        pytest.param(GOOD, BLUE, MIDDLE, "pass", "all 4 checks hold", id="good"),
        pytest.param(GOOD, BLUE, END, "pass", "all 4 checks hold", id="good until the end"),
        pytest.param(measured(2000, 200), BLUE, MIDDLE, "fail", "failed requests against blue", id="errors"),
        pytest.param(measured(2000, slow=True), BLUE, MIDDLE, "fail", "latency p95 against blue", id="slow"),
        pytest.param(measured(99, 99), BLUE, MIDDLE, "inconclusive", "too few requests: green 99", id="too few"),
        pytest.param(measured(99), BLUE, END, "fail", "too few requests: green 99", id="too few until the end"),
        pytest.param(GOOD, measured(99), MIDDLE, "inconclusive", "too few requests: blue 99", id="too few of blue"),
        pytest.param(Measured(), BLUE, MIDDLE, "inconclusive", "no data: no requests of green", id="no data yet"),
        pytest.param(Measured(), BLUE, END, "fail", "no requests of green until the end", id="no data"),
        pytest.param(GOOD, Measured(), END, "pass", "checks hold", id="no data of blue"),
        pytest.param(measured(2000, 20), BLUE, MIDDLE, "inconclusive", "it may be", id="not clear"),
        pytest.param(measured(2000, 20), BLUE, END, "fail", "still so at the end", id="not clear until the end"),
    ],
)
def test_verdict(green: Measured, blue: Measured, look: Look, outcome: str, said: str) -> None:
    """Pass only with proof; fail with proof, or without any at the end."""
    verdict = judge(RULES, Evidence(green, blue), look)
    assert verdict.outcome == outcome, verdict.reason
    assert said in verdict.reason


def test_a_rule_may_let_pass_what_stays_unclear_but_not_no_data() -> None:
    """For a service with few requests: green goes on unless it is shown to be bad, or not seen at all."""
    lenient = Rules(rate=RateRule(worse_by=0.01, at_the_end="pass"))
    assert judge(lenient, Evidence(measured(30), BLUE), END).outcome == "pass"
    assert judge(lenient, Evidence(measured(400, 200), BLUE), END).outcome == "fail"
    assert judge(lenient, Evidence(Measured(), BLUE), END).outcome == "fail"
    half = Rules(rate=RateRule(worse_by=0.01, at_the_end="pass"), latency=(LATENCY,))
    assert judge(half, Evidence(measured(30), BLUE), END).outcome == "fail"


def test_blue_is_not_needed_where_nothing_is_compared_with_it() -> None:
    """The first release of a service has no blue."""
    assert judge(Rules(rate=RateRule(at_most=0.01)), Evidence(GOOD), END).outcome == "pass"


def test_a_query_without_data_fails_at_the_end() -> None:
    """Nobody has seen an error, and nobody has looked."""
    rules = Rules(rate=RATE, queries=(QueryRule("errors-in-log", at_most=5),))
    assert judge(rules, Evidence(GOOD, BLUE), MIDDLE).outcome == "inconclusive"
    assert "errors-in-log against its limits: no data of green until the end" in (
        judge(rules, Evidence(GOOD, BLUE), END).reason
    )
    seen = {"errors-in-log": QueryValues((Sample(15, 1), Sample(30, 9), Sample(45, 9)))}
    assert judge(rules, Evidence(GOOD, BLUE, seen), MIDDLE).outcome == "fail"


@pytest.mark.parametrize(("failed", "outcome"), [(0, "pass"), (60, "fail")])
def test_a_blue_that_serves_nobody_does_not_keep_its_successor_away(failed: int, outcome: str) -> None:
    """The mend of a release that is down must come through; as if none of its requests had failed."""
    rules = Rules(rate=RateRule(worse_by=0.01), latency=(LatencyRule(0.95, worse_by=0.5),))
    verdict = judge(rules, Evidence(green=measured(600, failed)), Look(3, 3, is_last=True))

    assert verdict.outcome == outcome, verdict.reason
    assert any("blue has no requests" in f"{one.check} {one.reason}" for one in verdict.findings)


def test_rules_without_a_check_are_refused() -> None:
    """A pass of nothing would look like a proof."""
    with pytest.raises(ValueError, match="no check"):
        judge(Rules(), Evidence(GOOD, BLUE), END)


def test_blue_from_before_the_switch_is_said() -> None:
    """Who reads the verdict must know that it is not the same time."""
    verdict = judge(RULES, Evidence(GOOD, BLUE, is_same_time=False), END)
    assert "before the switch" in verdict.reason


def test_good_releases_are_failed_no_more_often_than_promised() -> None:
    """Green at the very edge of what is allowed, looked at twenty times: false failures stay below 5 % altogether."""
    random = np.random.default_rng(3)
    assert _share_failed(random, green=0.02, blue=0.01, deployments=150) <= 0.05


def test_naked_averages_would_fail_half_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the looks at two averages do to the same releases: the mistake that the bounds are there to avoid."""
    random = np.random.default_rng(3)
    failed = 0
    for green, blue in _growing(random, 0.02, 0.01, deployments=150):
        failed += any(
            g.failed_share - b.failed_share > 0.01 for g, b in zip(green, blue, strict=True) if g.total >= 100
        )
    assert failed / 150 > 0.5


@pytest.mark.parametrize(("green_each", "blue_each"), [(100, 100), (100, 1900), (50, 950)])
def test_ten_percent_errors_are_found_within_two_intervals(green_each: int, blue_each: int) -> None:
    """In nine of ten deployments, of which each plans twenty looks."""
    random = np.random.default_rng(5)
    found = 0
    for _ in range(100):
        green = Measured(RequestCounts(2 * green_each, int(random.binomial(2 * green_each, 0.1))))
        verdict = judge(Rules(rate=RATE), Evidence(green, Measured(RequestCounts(2 * blue_each))), Look(2, 20))
        found += verdict.outcome == "fail"
    assert found >= (90 if green_each == 100 else 60)


@pytest.mark.parametrize(("failed", "outcome"), [(10, "inconclusive"), (11, "fail")])
def test_one_rule_is_two_checks_as_what_was_lately_can_fail_it_too(failed: int, outcome: str) -> None:
    """At one look, 10 of 500 at 1 % happen in 3.2 % of all cases and 11 in 1.4 %: within 5 % and within half of it."""
    rules = Rules(rate=RateRule(at_most=0.01))
    assert judge(rules, Evidence(measured(500, failed)), Look(1, 1)).outcome == outcome


def test_a_release_that_breaks_late_is_found_at_once() -> None:
    """After a good hour, two bad intervals: the whole does not show it, what was lately does."""
    whole = Evidence(measured(40_000, 20), measured(40_000, 4))
    assert judge(RULES, whole, Look(19, 20)).outcome == "pass"
    late = Evidence(whole.green, whole.blue, recent_green=measured(200, 20), recent_blue=measured(200))
    verdict = judge(RULES, late, Look(19, 20))
    assert (verdict.outcome, "failed requests against blue, lately" in verdict.reason) == ("fail", True)
    good = Evidence(whole.green, whole.blue, recent_green=measured(20), recent_blue=measured(200))
    assert judge(RULES, good, Look(20, 20, is_last=True)).outcome == "pass"


def test_needed_requests_cover_every_rule() -> None:
    """The strictest decides; a minimum that is higher stays."""
    assert requests_needed(Rules(rate=RateRule(at_most=0.01))) == 299
    assert requests_needed(Rules(rate=RateRule(at_most=0.01), latency=(LatencyRule(0.999, worse_by=1.0),))) == 2995
    assert requests_needed(Rules(rate=RateRule(at_most=0.01), minimum_requests=5000)) == 5000
    with pytest.raises(ValueError, match="no number of requests"):
        requests_needed(Rules(rate=RateRule(worse_by=0.0)))


def test_evidence_and_verdict_survive_json() -> None:
    """They go from an activity to a workflow: no infinity, no NaN, even of a release that is off every scale."""
    evidence = Evidence(measured(2000, 3, slow=True), BLUE, {"q": QueryValues((Sample(15, 1.5),))})
    verdict = judge(RULES, evidence, END)
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated deployments ask for the same bounds again and again."""
    monkeypatch.setattr(binomial, "share_at_least", functools.cache(binomial.share_at_least))


def _growing(
    random: np.random.Generator, green: float, blue: float, deployments: int
) -> list[tuple[list[RequestCounts], list[RequestCounts]]]:
    """Twenty looks at each of ``deployments``: 50 and 200 more requests each time."""
    found = []
    for _ in range(deployments):
        sides = []
        for each, share in ((50, green), (200, blue)):
            failed = random.binomial(each, share, 20).cumsum()
            sides.append([RequestCounts(each * i, int(failed[i - 1])) for i in range(1, 21)])
        found.append((sides[0], sides[1]))
    return found


def _share_failed(random: np.random.Generator, *, green: float, blue: float, deployments: int) -> float:
    rules = Rules(rate=RateRule(worse_by=0.01), minimum_requests=50)
    failed = 0
    for greens, blues in _growing(random, green, blue, deployments):
        failed += any(
            judge(rules, _with_recent(greens, blues, number), Look(number, 20)).outcome == "fail"
            for number in range(1, 21)
        )
    return failed / deployments


def _with_recent(greens: list[RequestCounts], blues: list[RequestCounts], number: int) -> Evidence:
    """What the ``number``-th look sees: all until then, and the last two intervals."""
    sides = [side[number - 1] for side in (greens, blues)]
    before = [side[number - 3] if number > 2 else RequestCounts() for side in (greens, blues)]
    recent = [
        Measured(RequestCounts(now.total - then.total, now.failed - then.failed))
        for now, then in zip(sides, before, strict=True)
    ]
    return Evidence(Measured(sides[0]), Measured(sides[1]), recent_green=recent[0], recent_blue=recent[1])
