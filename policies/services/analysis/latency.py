"""A quantile of green's latency against blue's and against a limit, from histograms.

Nothing is assumed of how latencies are distributed: the bounds of a quantile are two ranks among the sorted requests
(binomial.py), and a histogram tells in which bucket the request of a rank lies. Within a bucket it tells nothing, so:

* green is failed only by bounds of buckets: its quantile is above the *lower* bound of one bucket, blue's at most the
  *upper* bound of another. No assumption can fail a release.
* green is passed by values interpolated within the bucket, as PromQL's histogram_quantile does. What that can get wrong
  is at most the bucket's width, and it does the same to both.

Blue and green are put together as in rates.py, on the logarithms: a quotient is asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from policies.services.analysis.binomial import rank_above, rank_below
from policies.services.analysis.models import Finding, Histogram


def above(histogram: Histogram, rank: int) -> float:
    """The request of ``rank`` (from 1) took longer than this, in seconds; 0 for rank 0."""
    bucket = bisect_left(histogram.cumulative, rank) if rank > 0 else 0
    return histogram.bounds_seconds[bucket - 1] if bucket else 0.0


def within(histogram: Histogram, rank: int) -> float:
    """The request of ``rank`` (from 1) took at most this, in seconds; infinity where there is none or no bound."""
    bucket = bisect_left(histogram.cumulative, rank)
    return histogram.bounds_seconds[bucket] if bucket < len(histogram.bounds_seconds) else math.inf


def interpolated(histogram: Histogram, rank: float) -> float:
    """About how long the request of ``rank`` took, evenly spread within its bucket; infinity beyond the last bound."""
    whole = max(1, math.ceil(rank))
    if whole > histogram.total:
        return math.inf
    low, high = above(histogram, whole), within(histogram, whole)
    if math.isinf(high):
        return math.inf
    bucket = bisect_left(histogram.cumulative, whole)
    before = histogram.cumulative[bucket - 1] if bucket else 0
    return low + (high - low) * (rank - before) / (histogram.cumulative[bucket] - before)


def ratio_at_least(green: Histogram, blue: Histogram, quantile: float, error: float) -> float:
    """How many times blue's quantile green's is, at least: from bounds of buckets; too high with probability ``error``.

    Half of the error for each side, as no more than their sum can then go wrong.
    """
    slowest_blue = within(blue, rank_above(blue.total, quantile, error / 2))
    return above(green, rank_below(green.total, quantile, error / 2)) / slowest_blue


def ratio_at_most(green: Histogram, blue: Histogram, quantile: float, error: float) -> float:
    """How many times blue's quantile green's is, at most: interpolated; too low with probability ``error``."""
    most = interpolated(green, rank_above(green.total, quantile, error))
    least = interpolated(blue, rank_below(blue.total, quantile, error) - 1)
    usual_green, usual_blue = (interpolated(side, quantile * side.total) for side in (green, blue))
    if least <= 0 or math.isinf(most) or math.isinf(usual_blue):
        return math.inf
    spread = math.hypot(math.log(most / usual_green), math.log(usual_blue / least))
    return usual_green / usual_blue * math.exp(spread)


def against_blue(
    green: Histogram, blue: Histogram, *, quantile: float, worse_by: float, fail_error: float, pass_error: float
) -> Finding:
    """Whether green's quantile is at most ``1 + worse_by`` times blue's; both have requests."""
    least, most = ratio_at_least(green, blue, quantile, fail_error), ratio_at_most(green, blue, quantile, pass_error)
    usual = [interpolated(side, quantile * side.total) for side in (green, blue)]
    said = f"green {_seconds(usual[0])}, blue {_seconds(usual[1])}"
    allowed = f"{1 + worse_by:.3g} times is allowed"
    numbers = (_finite(usual[0]), _finite(usual[1]))
    name = f"{name_of(quantile)} against blue"
    if least >= 1 + worse_by:
        return Finding(name, "fail", f"{said}: more than {least:.3g} times blue's, {allowed}", *numbers)
    if most <= 1 + worse_by:
        return Finding(name, "pass", f"{said}: at most {most:.3g} times blue's, {allowed}", *numbers)
    may_be = "it may be any number of times" if math.isinf(most) else f"it may be {most:.3g} times"
    return Finding(name, "inconclusive", f"{said}: {may_be} blue's, {allowed}", *numbers)


def against_limit(
    green: Histogram, *, quantile: float, at_most_seconds: float, fail_error: float, pass_error: float
) -> Finding:
    """Whether green's quantile is at most ``at_most_seconds``; it has requests."""
    least = above(green, rank_below(green.total, quantile, fail_error))
    most = interpolated(green, rank_above(green.total, quantile, pass_error))
    usual = interpolated(green, quantile * green.total)
    said, allowed = f"green {_seconds(usual)}", f"{_seconds(at_most_seconds)} is allowed"
    name = f"{name_of(quantile)} against the limit"
    if least >= at_most_seconds:
        return Finding(name, "fail", f"{said}: more than {_seconds(least)}, {allowed}", _finite(usual))
    if most <= at_most_seconds:
        return Finding(name, "pass", f"{said}: at most {_seconds(most)}, {allowed}", _finite(usual))
    return Finding(name, "inconclusive", f"{said}: it may be {_seconds(most)}, {allowed}", _finite(usual))


def requests_needed(quantile: float, error: float) -> int:
    """How many requests a quantile needs to have an upper bound at all; fewer can never pass."""
    return math.ceil(math.log(error) / math.log(quantile))


def name_of(quantile: float) -> str:
    """What a check of this quantile is called."""
    return f"latency p{quantile * 100:g}"


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _seconds(seconds: float) -> str:
    if math.isinf(seconds):
        return "longer than the last bucket"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
