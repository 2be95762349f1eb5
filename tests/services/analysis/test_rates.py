"""Failed requests: the promised errors are kept, computed exactly, where the textbook's bounds do not keep them."""

from __future__ import annotations

import functools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.services.analysis import binomial, rates
from policies.services.analysis.models import RequestCounts
from tests.services.analysis.chances import Fails, chance, is_not_shown_good, is_shown_worse

ERRORS = (0.05, 0.00125)
# Green and blue alike, a canary with a twentieth of the requests, and blue after most of them went to green.
SIZES = [(100, 100), (500, 500), (100, 1900), (950, 50)]


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exact sum asks for the same bounds again and again."""
    monkeypatch.setattr(binomial, "share_at_least", functools.cache(binomial.share_at_least))


@st.composite
def some_counts(draw: st.DrawFn) -> RequestCounts:
    total = draw(st.integers(1, 5000))
    return RequestCounts(total, draw(st.integers(0, total)))


@pytest.mark.parametrize(("green", "blue"), SIZES)
@pytest.mark.parametrize("error", ERRORS)
def test_a_release_at_the_margin_is_failed_no_more_often_than_promised(green: int, blue: int, error: float) -> None:
    """Whatever blue's own share of failures is; exact sums, no drawing."""
    for share in (0.0, 0.002, 0.02):
        assert chance((green, share + 0.01), (blue, share), is_shown_worse(0.01, error)) <= error
        assert chance((green, share), (blue, share), is_shown_worse(0.0, error)) <= error


@pytest.mark.parametrize(("green", "blue"), SIZES)
def test_a_release_at_the_margin_is_passed_no_more_often_than_promised(green: int, blue: int) -> None:
    """5 % is promised; the hybrid of two bounds is no exact method, so a fiftieth more is allowed for."""
    for share in (0.0, 0.002, 0.02):
        passed = 1 - chance((green, share + 0.01), (blue, share), is_not_shown_good(0.01, 0.05))
        assert passed <= 0.05 * 1.02


def test_wilsons_bounds_would_fail_canaries_far_too_often() -> None:
    """Why the bounds of the shares are the exact ones: the same hybrid with Wilson's, for a canary of 100 requests."""
    error, green, blue = 0.0005, (100, 0.011), (1900, 0.001)
    assert chance(green, blue, _wilson(0.01, error)) > 9 * error
    assert chance(green, blue, is_shown_worse(0.01, error)) <= error


@given(some_counts(), some_counts(), st.sampled_from(ERRORS))
def test_the_difference_lies_between_its_bounds(green: RequestCounts, blue: RequestCounts, error: float) -> None:
    """Also seen from the other side; and more data of the same kind narrow them."""
    seen = green.failed_share - blue.failed_share
    least, most = rates.difference_at_least(green, blue, error), rates.difference_at_most(green, blue, error)
    assert -1 <= least <= seen <= most <= 1
    assert least == pytest.approx(-rates.difference_at_most(blue, green, error))
    tenfold = [RequestCounts(side.total * 10, side.failed * 10) for side in (green, blue)]
    assert rates.difference_at_least(tenfold[0], tenfold[1], error) >= least - 1e-9
    assert rates.difference_at_most(tenfold[0], tenfold[1], error) <= most + 1e-9


@pytest.mark.parametrize("error", ERRORS)
def test_an_absolute_bound_errs_no_more_often_than_promised(error: float) -> None:
    """Of all numbers of failures that fail a release at its limit, and of all that pass it."""
    total, limit = 700, 0.01
    outcomes = [
        rates.against_limit(RequestCounts(total, x), at_most=limit, fail_error=error, pass_error=error).outcome
        for x in range(60)
    ]
    weights = stats.binom.pmf(range(60), total, limit)
    for outcome in ("fail", "pass"):
        assert 0 < sum(w for w, found in zip(weights, outcomes, strict=True) if found == outcome) <= error
    assert outcomes == sorted(outcomes, key=["pass", "inconclusive", "fail"].index)


def test_reasons_say_the_figures() -> None:
    """What a person reads of a bad, a good and an unclear release."""
    given_errors = {"worse_by": 0.01, "fail_error": 0.001, "pass_error": 0.05}
    bad = rates.against_blue(RequestCounts(500, 51), RequestCounts(1900, 2), **given_errors)
    assert (bad.outcome, bad.green, bad.blue) == ("fail", 0.102, pytest.approx(2 / 1900))
    assert bad.reason == (
        "green 10.2 % (51 of 500), blue 0.105 % (2 of 1900): "
        "at least 6.33 percentage points more, 1 percentage points more are allowed"
    )
    good = rates.against_blue(RequestCounts(1000, 1), RequestCounts(1000, 1), **given_errors)
    assert (good.outcome, "at most 0.385 percentage points more" in good.reason) == ("pass", True)
    unclear = rates.against_blue(RequestCounts(120, 0), RequestCounts(2000, 0), **given_errors)
    assert (unclear.outcome, "it may be 2.47 percentage points more" in unclear.reason) == ("inconclusive", True)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_needed_requests_are_the_fewest_that_pass(share: float) -> None:
    """With none failed; one request less does not do."""
    needed = rates.requests_needed(share, 0.05)
    for total, outcome in ((needed, "pass"), (needed - 1, "inconclusive")):
        clean = RequestCounts(total, 0)
        found = rates.against_blue(clean, clean, worse_by=share, fail_error=0.01, pass_error=0.05)
        limited = rates.against_limit(clean, at_most=share, fail_error=0.01, pass_error=0.05)
        assert (found.outcome, limited.outcome) == (outcome, outcome)


def test_impossible_counts_are_refused() -> None:
    """More failures than requests would make every bound nonsense."""
    with pytest.raises(ValueError, match="cannot have failed"):
        RequestCounts(1, 2)
    with pytest.raises(ValueError, match="no number of requests"):
        rates.requests_needed(0.0, 0.05)


def _wilson(worse_by: float, error: float) -> Fails:
    z = stats.norm.ppf(1 - error)

    def bounds(counts: RequestCounts) -> tuple[float, float]:
        n, p = counts.total, counts.failed_share
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    def fails(green: RequestCounts, blue: RequestCounts) -> bool:
        g, b = green.failed_share, blue.failed_share
        return g - b - math.hypot(g - bounds(green)[0], bounds(blue)[1] - b) > worse_by

    return fails
