"""Counts within a window from stored samples of counters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.services.analysis import counters
from policies.services.analysis.models import Histogram, RequestCounts

INFINITY = float("inf")


@pytest.mark.parametrize(
    ("samples", "began_at_0", "expected"),
    [
        pytest.param([(9, 50), (11, 53), (20, 60)], False, 10, id="from the last sample before"),
        pytest.param([(8, 40), (10, 50), (11, 53), (21, 99)], False, 3, id="a sample at the beginning is before it"),
        pytest.param([(12, 3), (13, 3)], True, 3, id="a new series began at 0"),
        pytest.param([(12, 900), (13, 905)], False, 5, id="what an unknown gateway counted before is unknown"),
        pytest.param([(9, 50), (12, 60), (13, 4), (14, 9), (15, 1)], False, 20, id="restarted twice"),
        pytest.param([(9, 50), (12, 60), (13, 0), (14, 60)], False, 70, id="restarted, and as high again"),
        pytest.param([(9, 50)], False, 0, id="gone before the window"),
        pytest.param([], True, 0, id="nothing"),
    ],
)
def test_rise(samples: list[tuple[float, float]], began_at_0: bool, expected: int) -> None:
    """Within (10, 20]."""
    assert counters.rise(samples, after_seconds=10, until_seconds=20, began_at_0=began_at_0) == expected


@given(st.lists(st.integers(0, 9), min_size=3, max_size=40), st.data())
def test_windows_that_meet_add_up(steps: list[int], data: st.DataObject) -> None:
    """No request is lost or counted twice at the border, restarts or not."""
    values, now = [], 0
    for step in steps:
        now = step if data.draw(st.booleans(), label="restart") else now + step
        values.append(now)
    samples = [(float(at), float(value)) for at, value in enumerate(values)]
    border = data.draw(st.integers(0, len(steps) - 1))
    end = len(steps) - 1

    def rise(after: float, until: float) -> int:
        return counters.rise(samples, after_seconds=after, until_seconds=until, began_at_0=True)

    assert rise(-1, border) + rise(border, end) == rise(-1, end)


def test_failed_are_answers_from_500_on() -> None:
    """By number and by class; 4xx is the caller's doing."""
    found = counters.requests_by_code([("200", 90), ("404", 4), ("503", 5), ("5xx", 1), ("2xx", 10), ("", 0)])
    assert found == RequestCounts(110, 6)


def test_histograms_of_gateways_add_up_over_the_bounds_that_all_have() -> None:
    """A gateway of another version has one more bound; one without requests has no part in it."""
    old = {0.1: 5, 1.0: 9, INFINITY: 10}
    new = {0.1: 1, 0.5: 2, 1.0: 3, INFINITY: 4}
    assert counters.histogram([new, old]) == Histogram((0.1, 1.0), (6, 12, 14))
    assert counters.histogram([]) == Histogram()


def test_a_histogram_that_was_read_while_it_changed_never_falls() -> None:
    """Not every client library exposes its buckets in one piece."""
    assert counters.histogram([{0.1: 5, 1.0: 4, INFINITY: 6}]) == Histogram((0.1, 1.0), (5, 5, 6))
