"""Declared queries: limits as in an alert, and the sign test against blue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.services.analysis import queries
from policies.services.analysis.models import Finding, QueryRule, QueryValues, Sample

RULE = QueryRule("errors-in-log", at_most=5, worse_by=0.1)
WANTED = "at most 5 and at least 2 is wanted"


def values(green: list[float], blue: list[float] | None = None) -> QueryValues:
    """One value every 15 s."""
    sides = [tuple(Sample(15.0 * i, value) for i, value in enumerate(side, 1)) for side in (green, blue or [])]
    return QueryValues(*sides)


@pytest.mark.parametrize(
    ("green", "outcome"),
    [
        ([], "inconclusive"),
        ([4], "pass"),
        ([9], "inconclusive"),
        ([9, 9], "fail"),
        ([9, 9, 4], "pass"),
        ([4, 9], "inconclusive"),
    ],
)
def test_two_values_in_a_row_break_a_limit(green: list[float], outcome: str) -> None:
    """One may be an accident; and what was there before is over."""
    found = queries.against_limits(RULE, values(green))
    assert found.outcome == outcome
    assert found.is_no_data is (not green)


@pytest.mark.parametrize(
    ("green", "finding"),
    [
        ([], Finding("query q against its limits", "inconclusive", "no data of green", is_no_data=True)),
        ([2], Finding("query q against its limits", "pass", f"green is 2, {WANTED}", 2)),
        ([5], Finding("query q against its limits", "pass", f"green is 5, {WANTED}", 5)),
        (
            [9, 1],
            Finding("query q against its limits", "fail", f"green is 1, {WANTED}, for 2 values in a row", 1),
        ),
        (
            [4, 9],
            Finding(
                "query q against its limits",
                "inconclusive",
                f"green is 9, {WANTED}; it is the first such value in a row",
                9,
            ),
        ),
    ],
)
def test_a_limit_is_told_with_the_value_and_what_is_wanted(green: list[float], finding: Finding) -> None:
    """Each limit itself is still kept."""
    assert queries.against_limits(QueryRule("q", at_most=5, at_least=2), values(green)) == finding


@pytest.mark.parametrize(
    ("rule", "green", "worse"),
    [
        (QueryRule("q", at_most=5), 55.0, 0),
        (QueryRule("q", at_most=5), 55.1, 1),
        (QueryRule("q", at_least=5), 45.0, 0),
        (QueryRule("q", at_least=5), 44.9, 1),
        (QueryRule("q", at_least=5, at_most=90), 44.9, 0),
        (QueryRule("q"), 55.1, 1),
    ],
)
def test_green_is_worse_only_beyond_what_is_allowed(rule: QueryRule, green: float, worse: int) -> None:
    """A tenth of blue's 50, in the direction that is bad; the finding says at how many instants, and the last pair."""
    found = queries.against_blue(rule, values([green], [50.0]), worse_by=0.1, fail_error=0.01, pass_error=0.01)

    assert found == Finding(
        "query q against blue",
        "inconclusive",
        f"at {worse} of 1 instants green is worse by more than 10 %, which may be chance",
        green,
        50.0,
    )


def test_a_limit_from_below() -> None:
    """Fewer orders than wanted."""
    rule = QueryRule("orders", at_least=10)
    assert queries.against_limits(rule, values([4, 4])).outcome == "fail"
    assert queries.against_limits(rule, values([4, 10])).outcome == "pass"


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=60))
def test_against_blue_is_the_sign_test_of_scipy(pairs: list[tuple[float, float]]) -> None:
    """The same two one-sided errors from the number of instants at which green is worse."""
    worse = sum(green > blue * 1.1 for green, blue in pairs)
    many = stats.binomtest(worse, len(pairs), alternative="greater").pvalue
    few = stats.binomtest(worse, len(pairs), alternative="less").pvalue
    found = queries.against_blue(
        RULE, values(*map(list, zip(*pairs, strict=True))), worse_by=0.1, fail_error=0.01, pass_error=0.05
    )
    assert found.outcome == ("fail" if many <= 0.01 else "pass" if few <= 0.05 else "inconclusive")


def test_what_moves_both_cancels_out() -> None:
    """Both rise tenfold with the load; green is a fifth worse all along, which two averages would drown in the rise."""
    blue = [float(i * i) for i in range(1, 13)]
    given_errors = {"worse_by": 0.1, "fail_error": 0.001, "pass_error": 0.05}
    assert queries.against_blue(RULE, values([b * 1.2 for b in blue], blue), **given_errors).outcome == "fail"
    assert queries.against_blue(RULE, values([b * 1.05 for b in blue], blue), **given_errors).outcome == "pass"


def test_less_is_worse_where_only_at_least_is_set() -> None:
    """Orders: half of blue's is bad, twice as many is not."""
    rule = QueryRule("orders", at_least=1, worse_by=0.1)
    blue = [50.0] * 12
    given_errors = {"worse_by": 0.1, "fail_error": 0.001, "pass_error": 0.05}
    assert queries.against_blue(rule, values([25.0] * 12, blue), **given_errors).outcome == "fail"
    assert queries.against_blue(rule, values([100.0] * 12, blue), **given_errors).outcome == "pass"


def test_a_tenth_worse_than_a_negative_value_is_above_it() -> None:
    """Of the balance of a queue: -105 is no worse than -100, -89 is."""
    blue = [-100.0] * 12
    given_errors = {"worse_by": 0.1, "fail_error": 0.001, "pass_error": 0.05}
    assert queries.against_blue(RULE, values([-105.0] * 12, blue), **given_errors).outcome == "pass"
    assert queries.against_blue(RULE, values([-95.0] * 12, blue), **given_errors).outcome == "pass"
    assert queries.against_blue(RULE, values([-89.0] * 12, blue), **given_errors).outcome == "fail"


def test_nothing_wrong_on_either_side_passes_once_there_are_enough_values() -> None:
    """Both are 0 all the time; five values are needed, as 1/2⁵ is the first power below 5 %."""
    needed = queries.values_needed(0.05)
    assert needed == 5
    for count, outcome in ((needed, "pass"), (needed - 1, "inconclusive")):
        nothing = values([0.0] * count, [0.0] * count)
        found = queries.against_blue(RULE, nothing, worse_by=0.1, fail_error=0.01, pass_error=0.05)
        assert found.outcome == outcome


def test_only_instants_with_both_count() -> None:
    """Blue was silent: nothing is compared, and the reason says who had no data."""
    found = queries.against_blue(RULE, values([1.0, 2.0]), worse_by=0.1, fail_error=0.01, pass_error=0.05)
    assert (found.outcome, found.is_no_data, found.reason) == ("inconclusive", True, "no data of blue")
