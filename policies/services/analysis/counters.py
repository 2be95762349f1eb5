"""From stored samples of counters to counts within a window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from policies.services.analysis.models import Histogram, RequestCounts

_FAILED = re.compile("5..")  # 503, or 5xx where the gateway counts classes
_INFINITY = float("inf")


def rise(
    samples: Sequence[tuple[float, float]], *, after_seconds: float, until_seconds: float, began_at_0: bool
) -> int:
    """By how much a counter rose within a window; ``samples`` are ``(time, value)`` in order, from before it on.

    A fall is a restart: what the counter has reached since then is added. Without a sample before the window it rose
    from 0 with ``began_at_0``, else from its first sample.
    """
    before = [value for at, value in samples if at <= after_seconds]
    inside = [value for at, value in samples if after_seconds < at <= until_seconds]
    if not inside:
        return 0
    last = before[-1] if before else 0.0 if began_at_0 else inside[0]
    total = 0.0
    for value in inside:
        total += value - last if value >= last else value
        last = value
    return round(total)


def requests_by_code(rises: Iterable[tuple[str, int]]) -> RequestCounts:
    """The counts from ``(status code or class, requests)``; those with a code from 500 on, or 5xx, have failed.

    Answers with 4xx are the caller's doing, and no failure of the release.
    """
    total = failed = 0
    for code, count in rises:
        total += count
        failed += count if _FAILED.fullmatch(code) else 0
    return RequestCounts(total, failed)


def histogram(parts: Iterable[Mapping[float, int]]) -> Histogram:
    """One histogram from several: ``parts`` hold cumulative counts by upper bound in seconds, infinity among them.

    Gateways of different versions may have different bounds: those that all have are kept, which loses no request.
    """
    found = [part for part in parts if _INFINITY in part]
    if not found:
        return Histogram()
    bounds = sorted(set[float](found[0]).intersection(*found[1:]))
    cumulative, highest = [], 0
    for bound in bounds:
        highest = max(highest, sum(part[bound] for part in found))
        cumulative.append(highest)
    return Histogram(tuple(bounds[:-1]), tuple(cumulative))
