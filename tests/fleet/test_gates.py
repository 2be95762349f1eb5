"""What Prometheus answers, judged."""

from __future__ import annotations

import math

import pytest

from policies.infrastructure.spec import PrometheusCheck
from workflows.fleet.gates import why_not

AT_MOST = PrometheusCheck(query="errors", at_most=0.01)
AT_LEAST = PrometheusCheck(query="availability", at_least=0.99)


@pytest.mark.parametrize(
    ("check", "values"), [(AT_MOST, {"": 0.01}), (AT_MOST, {"a": 0.0, "b": -1.0}), (AT_LEAST, {"": 0.99})]
)
def test_values_up_to_the_threshold_pass(check: PrometheusCheck, values: dict[str, float]) -> None:
    """The threshold itself is within."""
    assert why_not(check, values) == ""


def test_no_data_is_a_failure() -> None:
    """Whoever sees nothing has proved nothing."""
    assert why_not(AT_MOST, {}) == "the query returns no data"


@pytest.mark.parametrize("check", [AT_MOST, AT_LEAST])
def test_what_is_not_a_number_is_a_failure(check: PrometheusCheck) -> None:
    """A rate of nothing divided by nothing is not within anything."""
    assert "nan" in why_not(check, {"": math.nan})


def test_one_bad_series_among_good_ones_is_a_failure_and_is_named() -> None:
    """An average would hide it; a long list is cut."""
    assert why_not(AT_MOST, {"a": 0.0, "b": 0.5}) == "b is 0.5, at most 0.01 is wanted"
    assert why_not(AT_LEAST, {"": 0.5}) == "the value is 0.5, at least 0.99 is wanted"
    many = why_not(AT_MOST, {f"s{number}": 1.0 for number in range(9)})
    assert many == "s0 is 1, s1 is 1, s2 is 1, and 6 more, at most 0.01 is wanted"
