"""The values of a declared query: within its limits, and not worse than blue's.

What a query's values are and how they scatter is not known here, and there are few of them: one an interval.

* A limit is taken as written, as in an alert: two values in a row beyond it fail, one may be an accident. This is no
  statistical test and needs no share of the error.
* Against blue, each instant is a pair, so that what moves both (the load, the time of day) cancels out. Counted are
  the instants at which green is worse than allowed. A green that keeps the rule is so at no more than half of them: a
  binomial tail (the sign test; Conover, Practical Nonparametric Statistics, 3.4). It asks less than the signed-rank
  test of Wilcoxon, which needs symmetric differences, and like any exact test it can say nothing below an error of
  1 / 2ⁿ. It takes instants for independent: a query should look back no further than ``$interval``.
"""

from __future__ import annotations

import math

from policies.services.analysis.binomial import tail_at_least, tail_at_most
from policies.services.analysis.models import Finding, QueryRule, QueryValues, Sample

_HALF = 0.5
_IN_A_ROW = 2


def against_limits(rule: QueryRule, values: QueryValues) -> Finding:
    """Whether green's values keep ``at_most`` and ``at_least``; one that does not is not failed for a single value."""
    name = f"query {rule.name} against its limits"
    if not values.green:
        return Finding(name, "inconclusive", "no data of green", is_no_data=True)
    latest = values.green[-_IN_A_ROW:]
    beyond = [_is_beyond(rule, sample) for sample in latest]
    value = latest[-1].value
    wanted = " and ".join(
        f"{words} {limit:g}"
        for words, limit in (("at most", rule.at_most), ("at least", rule.at_least))
        if limit is not None
    )
    said = f"green is {value:g}, {wanted} is wanted"
    if all(beyond) and len(beyond) == _IN_A_ROW:
        return Finding(name, "fail", f"{said}, for {_IN_A_ROW} values in a row", value)
    if beyond[-1]:
        return Finding(name, "inconclusive", f"{said}; it is the first such value in a row", value)
    return Finding(name, "pass", said, value)


def against_blue(
    rule: QueryRule, values: QueryValues, *, worse_by: float, fail_error: float, pass_error: float
) -> Finding:
    """Whether green is worse than blue by more than the share ``worse_by`` at more than half of the instants."""
    name = f"query {rule.name} against blue"
    of_blue = {sample.at_seconds: sample.value for sample in values.blue}
    pairs = [(sample.value, of_blue[sample.at_seconds]) for sample in values.green if sample.at_seconds in of_blue]
    if not pairs:
        without = " and ".join(side for side, found in (("green", values.green), ("blue", values.blue)) if not found)
        return Finding(name, "inconclusive", f"no data of {without or 'both at one time'}", is_no_data=True)
    worse = sum(_is_worse(rule, green, blue, worse_by) for green, blue in pairs)
    said = f"at {worse} of {len(pairs)} instants green is worse by more than {worse_by * 100:.3g} %"
    if tail_at_least(worse, len(pairs), _HALF) <= fail_error:
        return Finding(name, "fail", said, *pairs[-1])
    if tail_at_most(worse, len(pairs), _HALF) <= pass_error:
        return Finding(name, "pass", said, *pairs[-1])
    return Finding(name, "inconclusive", f"{said}, which may be chance", *pairs[-1])


def values_needed(error: float) -> int:
    """How many instants, green worse at none of them, show that it keeps the rule; fewer can never pass."""
    return math.ceil(-math.log2(error))


def _is_beyond(rule: QueryRule, sample: Sample) -> bool:
    is_high = rule.at_most is not None and sample.value > rule.at_most
    is_low = rule.at_least is not None and sample.value < rule.at_least
    return is_high or is_low


def _is_worse(rule: QueryRule, green: float, blue: float, worse_by: float) -> bool:
    allowed = abs(blue) * worse_by
    return green < blue - allowed if rule.is_less_worse else green > blue + allowed
