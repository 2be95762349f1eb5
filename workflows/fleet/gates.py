"""Whether what Prometheus answered satisfies a gate. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from policies.infrastructure.spec import PrometheusCheck

SHOWN = 3


def why_not(check: PrometheusCheck, values: Mapping[str, float]) -> str:
    """What is wrong with ``values`` (by the labels of their series); empty when the gate holds.

    No data is a failure: whoever sees nothing has proved nothing. So is a
    value that is not a number, which is what a rate of nothing divides to.
    """
    if not values:
        return "the query returns no data"
    wrong = {series: value for series, value in sorted(values.items()) if not _is_within(check, value)}
    if not wrong:
        return ""
    limit = f"at most {check.at_most:g}" if check.at_most is not None else f"at least {check.at_least or 0:g}"
    shown = ", ".join(f"{series or 'the value'} is {value:g}" for series, value in list(wrong.items())[:SHOWN])
    more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"{shown}{more}, {limit} is wanted"


def _is_within(check: PrometheusCheck, value: float) -> bool:
    if math.isnan(value):
        return False
    is_high = check.at_most is not None and value > check.at_most
    is_low = check.at_least is not None and value < check.at_least
    return not is_high and not is_low
