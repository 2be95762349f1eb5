"""What a benchmark reports, and how a figure becomes a row."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TypedDict


class Baseline(TypedDict):
    """What was measured beside it, in the same run and unit."""

    name: str
    value: float


class Row(TypedDict):
    """One figure: the median of several runs; ``ratio`` is the median of the runs' own ratios."""

    name: str
    value: float
    unit: str
    baseline: Baseline | None
    ratio: float | None
    target: str
    met: bool


def absolute(name: str, values: Sequence[float], unit: str, limit: float) -> Row:
    """A figure that should be at most ``limit``."""
    value = statistics.median(values)
    return Row(
        name=name, value=value, unit=unit, baseline=None, ratio=None, target=f"≤{limit:g} {unit}", met=value <= limit
    )


def paired(name: str, pairs: Sequence[tuple[float, float]], unit: str, baseline: str, limit: float) -> Row:
    """A figure that should be at most ``limit`` × what was measured beside it; ``pairs`` are (ours, baseline)."""
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return Row(
        name=name,
        value=statistics.median(ours for ours, _ in pairs),
        unit=unit,
        baseline=Baseline(name=baseline, value=statistics.median(theirs for _, theirs in pairs)),
        ratio=ratio,
        target=f"≤{limit:g} ×",
        met=ratio <= limit,
    )


def repeat_pairs(ours: Callable[[], float], theirs: Callable[[], float], times: int) -> list[tuple[float, float]]:
    """Measure both in turns, the order swapped each time, so that a drift of the machine hits both."""
    pairs = []
    for number in range(times):
        if number % 2:
            second = theirs()
            pairs.append((ours(), second))
        else:
            pairs.append((ours(), theirs()))
    return pairs
