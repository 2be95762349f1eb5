"""Green's share of failed requests against blue's and against a limit.

Asked as non-inferiority with a margin: not "are they equal", which no amount of data can show, but "is green worse by
more than the margin". The bound of the difference is put together from one bound of each share (the hybrid of Newcombe,
1998, method 10, generalised as MOVER by Zou and Donner, 2008):

    lower = (g - b) - sqrt((g - lower(g))² + (upper(b) - b)²)        upper likewise

Newcombe takes Wilson's score bounds for the shares. Here they are the exact ones of Clopper and Pearson: with few
failures and a green that gets a small part of the requests, which is what a canary is, Wilson's lower bound is above
the truth several times as often as promised; the score test of Farrington and Manning (1990) errs as often.
tests/services/analysis/test_rates.py computes it.
"""

from __future__ import annotations

import math

from policies.services.analysis import binomial
from policies.services.analysis.models import Finding, RequestCounts

NAME = "failed requests"


def difference_at_least(green: RequestCounts, blue: RequestCounts, error: float) -> float:
    """By how much green's share of failures is above blue's, at least; too high with probability ``error``."""
    return (
        green.failed_share
        - blue.failed_share
        - math.hypot(
            green.failed_share - binomial.share_at_least(green.failed, green.total, error),
            binomial.share_at_most(blue.failed, blue.total, error) - blue.failed_share,
        )
    )


def difference_at_most(green: RequestCounts, blue: RequestCounts, error: float) -> float:
    """By how much green's share of failures is above blue's, at most; too low with probability ``error``."""
    return -difference_at_least(blue, green, error)


def against_blue(
    green: RequestCounts, blue: RequestCounts, *, worse_by: float, fail_error: float, pass_error: float
) -> Finding:
    """Whether green fails at most ``worse_by`` (a share) more often than blue; both have requests."""
    least, most = difference_at_least(green, blue, fail_error), difference_at_most(green, blue, pass_error)
    said = f"green {_shown(green)}, blue {_shown(blue)}"
    allowed = f"{_points(worse_by)} more are allowed"
    numbers = (green.failed_share, blue.failed_share)
    name = f"{NAME} against blue"
    if least > worse_by:
        return Finding(name, "fail", f"{said}: at least {_points(least)} more, {allowed}", *numbers)
    if most <= worse_by:
        return Finding(name, "pass", f"{said}: at most {_points(most)} more, {allowed}", *numbers)
    return Finding(name, "inconclusive", f"{said}: it may be {_points(most)} more, {allowed}", *numbers)


def against_limit(green: RequestCounts, *, at_most: float, fail_error: float, pass_error: float) -> Finding:
    """Whether at most ``at_most`` (a share) of green's requests fail; it has requests."""
    least = binomial.share_at_least(green.failed, green.total, fail_error)
    most = binomial.share_at_most(green.failed, green.total, pass_error)
    said, allowed = f"green {_shown(green)}", f"{_percent(at_most)} is allowed"
    name = f"{NAME} against the limit"
    if least > at_most:
        return Finding(name, "fail", f"{said}: at least {_percent(least)}, {allowed}", green.failed_share)
    if most <= at_most:
        return Finding(name, "pass", f"{said}: at most {_percent(most)}, {allowed}", green.failed_share)
    return Finding(name, "inconclusive", f"{said}: it may be {_percent(most)}, {allowed}", green.failed_share)


def requests_needed(share: float, error: float) -> int:
    """How many requests without one failure show that at most ``share`` of them fail; fewer can never pass.

    For the difference from a blue without failures it is the same number. ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"no number of requests shows a share of {share:g}")
    return math.ceil(math.log(error) / math.log1p(-share))


def _shown(counts: RequestCounts) -> str:
    return f"{_percent(counts.failed_share)} ({counts.failed} of {counts.total})"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _points(difference: float) -> str:
    return f"{difference * 100:.3g} percentage points"
