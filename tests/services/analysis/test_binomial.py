"""The binomial distribution, held against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.services.analysis import binomial

ERRORS = st.floats(1e-6, 0.4)
SHARES = st.floats(0, 1)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    """``(successes, trials)``."""
    trials = draw(st.integers(1, 200_000))
    return draw(st.integers(0, trials)), trials


@given(counts(), SHARES)
def test_tails_are_those_of_scipy(count: tuple[int, int], share: float) -> None:
    """Far into the tail, and for as many requests as a large service has in a bake."""
    successes, trials = count
    below = pytest.approx(stats.binom.cdf(successes, trials, share), rel=1e-6, abs=1e-10)
    above = pytest.approx(stats.binom.sf(successes - 1, trials, share), rel=1e-6, abs=1e-10)
    assert binomial.tail_at_most(successes, trials, share) == below
    assert binomial.tail_at_least(successes, trials, share) == above


@given(counts(), ERRORS)
def test_bounds_of_a_share_are_the_exact_ones(count: tuple[int, int], error: float) -> None:
    """As quantiles of the beta distribution, which is how Clopper and Pearson are usually written."""
    successes, trials = count
    low = stats.beta.ppf(error, successes, trials - successes + 1) if successes else 0.0
    high = stats.beta.ppf(1 - error, successes + 1, trials - successes) if successes < trials else 1.0
    assert binomial.share_at_least(successes, trials, error) == pytest.approx(low, rel=1e-6, abs=1e-8)
    assert binomial.share_at_most(successes, trials, error) == pytest.approx(high, rel=1e-6, abs=1e-8)


@given(st.integers(1, 20_000), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]), ERRORS)
def test_ranks_enclose_a_quantile_and_no_narrower_ones_do(total: int, quantile: float, error: float) -> None:
    """A bound is missed with at most its error, and the next rank would be missed more often."""
    low, high = binomial.rank_below(total, quantile, error), binomial.rank_above(total, quantile, error)
    assert 0 <= low <= total
    assert stats.binom.cdf(low - 1, total, quantile) <= error * (1 + 1e-9)
    assert low == total or stats.binom.cdf(low, total, quantile) > error * (1 - 1e-9)
    assert 1 <= high <= total + 1
    assert high == total + 1 or stats.binom.sf(high - 1, total, quantile) <= error * (1 + 1e-9)
    assert stats.binom.sf(high - 2, total, quantile) > error * (1 - 1e-9)


def test_no_error_left_means_no_bound() -> None:
    """A look beyond the plan can fail nothing, however bad the numbers are."""
    assert binomial.share_at_least(1000, 1000, 0.0) == 0.0
    assert binomial.share_at_most(0, 1000, 0.0) == 1.0
    assert binomial.rank_below(100_000, 0.5, 0.0) == 0
    assert binomial.rank_above(100_000, 0.5, 0.0) == 100_001
