"""The binomial distribution, as far as bounds of shares and of quantiles need it.

Tails are the regularised incomplete beta function, as a continued fraction (DLMF 8.17.22, by Lentz's method).
"""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_PRECISION = 1e-13
_STEPS_AT_MOST = 100_000
_HALVINGS = 60
_CLOSE_ENOUGH = 1e-9


def tail_at_least(successes: int, trials: int, share: float) -> float:
    """P(X ≥ successes) for ``trials`` trials that each succeed with probability ``share``."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return _regularised_beta(share, successes, trials - successes + 1)


def tail_at_most(successes: int, trials: int, share: float) -> float:
    """P(X ≤ successes) for ``trials`` trials that each succeed with probability ``share``."""
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    return _regularised_beta(1.0 - share, trials - successes, successes + 1)


def share_at_least(successes: int, trials: int, error: float) -> float:
    """The lower bound of a share that is too high with probability at most ``error`` (Clopper and Pearson, 1934)."""
    if successes <= 0 or error <= 0:
        return 0.0
    return _crossing(lambda share: tail_at_least(successes, trials, share) > error, 0.0, successes / trials)


def share_at_most(successes: int, trials: int, error: float) -> float:
    """The upper bound of a share that is too low with probability at most ``error`` (Clopper and Pearson, 1934)."""
    return 1.0 - share_at_least(trials - successes, trials, error)


def rank_below(total: int, quantile: float, error: float) -> int:
    """The highest rank whose value is above the true quantile with probability at most ``error``; 0: there is none.

    The value of rank r of n is above the quantile q exactly when fewer than r of n fell below it: a binomial tail,
    whatever the distribution of the values (David and Nagaraja, Order Statistics, 7.1).
    """
    return _last(lambda rank: tail_at_most(rank - 1, total, quantile) <= error, total) if error > 0 else 0


def rank_above(total: int, quantile: float, error: float) -> int:
    """The lowest rank whose value is below the true quantile with probability at most ``error``; total + 1: none."""
    return _last(lambda rank: tail_at_least(rank, total, quantile) > error, total) + 1 if error > 0 else total + 1


def _crossing(is_above: Callable[[float], bool], low: float, high: float) -> float:
    """Where ``is_above`` turns true between two shares, approached from below."""
    for _ in range(_HALVINGS):
        if high - low <= _CLOSE_ENOUGH * high:
            break
        middle = (low + high) / 2
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return low


def _last(holds: Callable[[int], bool], highest: int) -> int:
    """The last of 1…highest for which ``holds``, which holds up to some rank and not beyond; 0 when for none."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _regularised_beta(x: float, a: float, b: float) -> float:
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1.0 - _regularised_beta_near_0(1.0 - x, b, a)
    return _regularised_beta_near_0(x, a, b)


def _regularised_beta_near_0(x: float, a: float, b: float) -> float:
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) * _continued_fraction(x, a, b) / a


def _continued_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _not_0(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS_AT_MOST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            d = 1.0 / _not_0(1.0 + coefficient * d)
            c = _not_0(1.0 + coefficient / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            return value
    return value


def _not_0(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
