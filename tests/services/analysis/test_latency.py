"""Quantiles from histograms: ranks lie in their buckets, and the promised errors are kept on any distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.services.analysis import latency
from policies.services.analysis.binomial import rank_above, rank_below
from policies.services.analysis.models import Histogram
from tests.services.analysis.chances import BOUNDS, drawn

SECONDS = st.lists(st.floats(0.0001, 20), min_size=1, max_size=200)
COARSE = (0.05, 0.1, 0.25, 0.5, 1.0)


@given(SECONDS)
def test_a_rank_lies_within_its_bucket(seconds: list[float]) -> None:
    """Against the sorted values themselves, which a histogram no longer knows."""
    histogram = drawn(np.array(seconds))
    for rank, value in enumerate(sorted(seconds), start=1):
        low, high = latency.above(histogram, rank), latency.within(histogram, rank)
        assert low < value <= high
        assert low < latency.interpolated(histogram, rank) <= high
    assert latency.within(histogram, len(seconds) + 1) == math.inf


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("kind", ["lognormal", "two peaks", "one value at a bound"])
def test_bounds_of_a_quantile_hold_on_any_distribution(kind: str, quantile: float) -> None:
    """A bound that may miss in 5 % of all cases does so in no more, also where a quarter of all sits on a bound."""
    random = np.random.default_rng(11)
    true = float(np.quantile(_values(kind, np.random.default_rng(12), 400_000), quantile))
    misses = {"below": 0, "above": 0}
    times = 400
    for _ in range(times):
        histogram = drawn(_values(kind, random, 600))
        misses["below"] += latency.above(histogram, rank_below(600, quantile, 0.05)) > true
        misses["above"] += latency.within(histogram, rank_above(600, quantile, 0.05)) < true
    # Three standard deviations of a count that is 5 % on average.
    allowed = times * 0.05 + 3 * math.sqrt(times * 0.05 * 0.95)
    assert max(misses.values()) <= allowed


def test_a_release_at_its_tolerance_is_failed_and_passed_no_more_often_than_promised() -> None:
    """Green exactly a quarter slower than blue, a quarter allowed: 5 % each way at most."""
    random = np.random.default_rng(13)
    times, outcomes = 300, []
    for _ in range(times):
        green, blue = (drawn(_values("lognormal", random, 1500) * factor) for factor in (1.25, 1.0))
        found = latency.against_blue(green, blue, quantile=0.95, worse_by=0.25, fail_error=0.05, pass_error=0.05)
        outcomes.append(found.outcome)
    assert outcomes.count("fail") <= times * 0.05
    assert outcomes.count("pass") <= times * 0.05 + 3 * math.sqrt(times * 0.05 * 0.95)


def test_neighbours_across_a_bound_are_not_failed() -> None:
    """All of blue just below a bound, all of green just above: interpolating would say "twice as slow"."""
    blue = Histogram(COARSE, (0, 0, 5000, 5000, 5000, 5000))
    green = Histogram(COARSE, (0, 0, 0, 5000, 5000, 5000))
    found = latency.against_blue(green, blue, quantile=0.99, worse_by=0.25, fail_error=0.05, pass_error=0.05)
    assert found.outcome == "inconclusive"
    slow = Histogram(COARSE, (0, 0, 0, 0, 0, 5000))
    found = latency.against_blue(slow, blue, quantile=0.99, worse_by=0.25, fail_error=0.05, pass_error=0.05)
    assert (found.outcome, found.green) == ("fail", None)
    assert "green longer than the last bucket" in found.reason


@pytest.mark.parametrize(
    ("factor", "at_most_seconds", "outcome"), [(1.0, 0.4, "pass"), (1.0, 0.2, "inconclusive"), (3.0, 0.4, "fail")]
)
def test_limit(factor: float, at_most_seconds: float, outcome: str) -> None:
    """p99 of these is 0.2 s before the factor."""
    histogram = drawn(_values("lognormal", np.random.default_rng(14), 5000) * factor)
    found = latency.against_limit(
        histogram, quantile=0.99, at_most_seconds=at_most_seconds, fail_error=0.001, pass_error=0.05
    )
    assert found.outcome == outcome


@pytest.mark.parametrize(
    ("at_most_seconds", "allowed"), [(0.25, "250 ms is allowed"), (1, "1 s is allowed"), (2.5, "2.5 s is allowed")]
)
def test_a_limit_is_told_in_the_unit_that_people_read(at_most_seconds: float, allowed: str) -> None:
    """Below a second in milliseconds; behind the last bucket nobody knows how long."""
    histogram = Histogram((0.1,), (0, 5000))
    found = latency.against_limit(
        histogram, quantile=0.99, at_most_seconds=at_most_seconds, fail_error=0.001, pass_error=0.05
    )

    assert found.check == "latency p99 against the limit"
    assert found.reason.startswith("green longer than the last bucket: ")
    assert found.reason.endswith(f", {allowed}")
    assert found.green is None


def test_needed_requests_are_the_fewest_that_bound_a_quantile() -> None:
    """One request less, and nothing is slower than p99 for sure."""
    needed = latency.requests_needed(0.99, 0.05)
    for total, outcome in ((needed, "pass"), (needed - 1, "inconclusive")):
        histogram = Histogram(BOUNDS, (total,) * (len(BOUNDS) + 1))
        found = latency.against_limit(histogram, quantile=0.99, at_most_seconds=1, fail_error=0.05, pass_error=0.05)
        assert found.outcome == outcome


@pytest.mark.parametrize(
    ("bounds", "cumulative"), [((0.1,), (1,)), ((0.2, 0.1), (1, 1, 1)), ((0.1, 0.2), (3, 2, 4)), ((0.0,), (1, 1))]
)
def test_impossible_histograms_are_refused(bounds: tuple[float, ...], cumulative: tuple[int, ...]) -> None:
    """Counts without bounds, bounds and counts that fall, a bound of nothing."""
    with pytest.raises(ValueError, match=r"bound|count"):
        Histogram(bounds, cumulative)


def _values(kind: str, random: np.random.Generator, size: int) -> np.ndarray:
    usual = random.lognormal(math.log(0.05), 0.6, size)
    if kind == "two peaks":
        return np.where(random.random(size) < 0.04, usual * 20, usual)
    if kind == "one value at a bound":
        return np.where(random.random(size) < 0.25, BOUNDS[12], usual)
    return usual
