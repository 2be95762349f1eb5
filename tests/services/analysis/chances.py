"""How often a check comes to which outcome: computed exactly for shares, drawn at random for latencies.

``python -m tests.services.analysis.chances`` prints the tables of docs/analysis.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from policies.services.analysis import latency, rates
from policies.services.analysis.models import Histogram, RequestCounts

Fails = Callable[[RequestCounts, RequestCounts], bool]
_NEGLIGIBLE = 1e-7
# A quarter more from one to the next, from 5 ms to 10 s.
BOUNDS = tuple(round(0.005 * 1.25**step, 6) for step in range(35))
# One rule about failures and one about latency against blue, each over the whole bake and lately.
LOOKS, CHECKS, ERROR, WORSE_BY = 20, 4, 0.05, 0.01
SHARE = ERROR / (LOOKS * CHECKS)
TIMES = 100


def chance(green: tuple[int, float], blue: tuple[int, float], happens: Fails) -> float:
    """The chance of ``happens``, which a further failure of green never undoes; sides are ``(requests, share)``."""
    total, share = green
    found = 0.0
    for failed, weight in _likely(*blue):
        of_blue = RequestCounts(blue[0], failed)
        first = bisect_left(range(total + 1), True, key=lambda x, b=of_blue: happens(RequestCounts(total, x), b))
        found += weight * stats.binom.sf(first - 1, total, share)
    return found


def is_shown_worse(worse_by: float, error: float) -> Fails:
    """Whether green is shown to fail more than ``worse_by`` above blue."""
    return lambda green, blue: rates.difference_at_least(green, blue, error) > worse_by


def is_not_shown_good(worse_by: float, error: float) -> Fails:
    """Whether green is not shown to fail at most ``worse_by`` above blue."""
    return lambda green, blue: rates.difference_at_most(green, blue, error) > worse_by


def drawn(seconds: np.ndarray) -> Histogram:
    """The histogram of ``seconds`` in BOUNDS."""
    below = [int(np.count_nonzero(seconds <= bound)) for bound in BOUNDS]
    return Histogram(BOUNDS, (*below, len(seconds)))


def _likely(total: int, share: float) -> Iterator[tuple[int, float]]:
    low, high = (int(bound) for bound in stats.binom.interval(1 - _NEGLIGIBLE, total, share))
    for failed in range(max(low, 0), high + 1):
        yield failed, float(stats.binom.pmf(failed, total, share))


def rate_table() -> list[str]:
    """Rows of docs/analysis.md: what so many requests of each release show."""
    rows = []
    for total in (100, 200, 300, 500, 1000, 2000, 5000):
        blue = (total, 0.0)
        passes = [1 - chance((total, p), blue, is_not_shown_good(WORSE_BY, ERROR)) for p in (0.0, 0.002, 0.005)]
        fails = [chance((total, p), blue, is_shown_worse(WORSE_BY, SHARE)) for p in (0.02, 0.05, 0.1)]
        rows.append(_row(f"{total}", passes, fails))
    return rows


def latency_table() -> list[str]:
    """Rows of docs/analysis.md: the same for p99 within 25 %, lognormal latencies around 50 ms."""
    rows = []
    for total in (300, 1000, 3000, 10_000):
        outcomes = {factor: _latency_outcomes(total, factor) for factor in (1.0, 1.1, 1.5, 2.0, 3.0)}
        passes = [outcomes[factor].count("pass") / TIMES for factor in (1.0, 1.1)]
        fails = [outcomes[factor].count("fail") / TIMES for factor in (1.5, 2.0, 3.0)]
        rows.append(_row(f"{total}", passes, fails))
    return rows


def _latency_outcomes(total: int, factor: float) -> list[str]:
    random = np.random.default_rng(7)
    sides = [
        (
            drawn(random.lognormal(math.log(0.05), 0.6, total) * factor),
            drawn(random.lognormal(math.log(0.05), 0.6, total)),
        )
        for _ in range(TIMES)
    ]
    return [
        latency.against_blue(g, b, quantile=0.99, worse_by=0.25, fail_error=SHARE, pass_error=ERROR).outcome
        for g, b in sides
    ]


def _row(name: str, *groups: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{value * 100:.0f} %' for group in groups for value in group)} |"


if __name__ == "__main__":
    print(*rate_table(), "", *latency_table(), sep="\n")
