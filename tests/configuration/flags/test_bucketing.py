"""In which share users fall: evenly, for good, differently for each flag, and as flagd has it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from scipy.stats import chi2_contingency, chisquare

from policies.configuration.flags.bucketing import PARTS, bucket_of, hash_of, parts_of, thresholds_of
from policies.configuration.flags.evaluator import compiled
from policies.configuration.flags.spec import FlagDecision

USERS = [f"user-{number}" for number in range(20_000)]


def of_percentage(percentage: float) -> FlagDecision:
    """A flag that is on for a share of users."""
    return FlagDecision(type="percentage", percentage=percentage)


def test_users_spread_evenly():
    """A hundred buckets of one per cent hold alike many of 20,000 users."""
    counts = [0] * 100
    for user in USERS:
        counts[bucket_of("new-checkout", user, 100)] += 1

    assert chisquare(counts).pvalue > 0.001


def test_a_percentage_is_that_share_of_users():
    """Of 20,000 users about a quarter."""
    evaluator = compiled({"new-checkout": of_percentage(25)})

    assert sum(evaluator.evaluate("new-checkout", user).value for user in USERS) == pytest.approx(5000, abs=250)


def test_the_same_user_falls_elsewhere_for_another_flag():
    """Being in the first half for one flag says nothing about another."""
    evaluator = compiled({"one": of_percentage(50), "two": of_percentage(50)})
    table = [[0, 0], [0, 0]]
    for user in USERS:
        table[evaluator.evaluate("one", user).value][evaluator.evaluate("two", user).value] += 1

    assert chi2_contingency(table).pvalue > 0.001


@given(st.floats(0, 100), st.floats(0, 100), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_who_has_a_growing_flag_keeps_it(one: float, other: float, user: str) -> None:
    """Whatever the two percentages, who is in the smaller share is in the larger."""
    smaller, larger = sorted((one, other))
    before = compiled({"flag": of_percentage(smaller)}).evaluate("flag", user)
    after = compiled({"flag": of_percentage(larger)}).evaluate("flag", user)

    assert not (before.value and not after.value)


@given(st.floats(0, 100))
def test_rounding_makes_no_share_nothing_or_all(percentage: float) -> None:
    """Any percentage above 0 has a part, any below 100 leaves one."""
    parts = parts_of(percentage)

    assert (parts == 0) == (percentage == 0)
    assert (parts == PARTS) == (percentage == 100)


def test_the_smallest_share_is_one_part_and_the_largest_leaves_one() -> None:
    """Where rounding would make them nothing and all."""
    assert [parts_of(percentage) for percentage in (0, 1e-12, 25, 99.999999999, 100)] == [
        0,
        1,
        PARTS // 4,
        PARTS - 1,
        PARTS,
    ]


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_thresholds_say_what_the_product_says(weights: list[int], hashed: int) -> None:
    """Comparing with a threshold is flagd's (hash × total) >> 32 < end of the share."""
    total = sum(weights)
    if not 0 < total <= 2**31 - 1:
        return
    ends = [sum(weights[: index + 1]) for index in range(len(weights))]
    bucket = (hashed * total) >> 32

    assert [hashed < edge for edge in thresholds_of(weights)] == [bucket < end for end in ends]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5).filter(sum))
def test_the_hash_at_a_threshold_is_the_first_behind_the_share(weights: list[int]) -> None:
    """And the one before it is the last in it: nobody falls between."""
    total, end = sum(weights), 0
    for weight, edge in zip(weights, thresholds_of(weights), strict=True):
        end += weight
        assert (edge * total) >> 32 >= end
        assert edge == 0 or ((edge - 1) * total) >> 32 < end


def test_hashes_are_those_of_the_text_in_cbor():
    """Against values of another implementation (cbor2 and mmh3), at every length of a CBOR head."""
    import cbor2
    import mmh3

    for length in (0, 1, 23, 24, 255, 256, 65_535, 65_536):
        text = "ü" * (length // 2) + "x" * (length % 2)
        assert hash_of(text.encode()) == mmh3.hash(cbor2.dumps(text, canonical=True), signed=False)


@pytest.mark.parametrize("weights", [(25, 75), (1, 1, 1), (100_000, 300_000, 1), (2_000_000_000, 147_483_647)])
def test_thousands_of_users_get_the_variants_of_flagds_own_documented_form(weights: tuple[int, ...]) -> None:
    """A definition that is written by hand as flagd's manual has it, with weights of any sum."""
    names = [f"v{index}" for index in range(len(weights))]
    by_hand = {
        "fractional": [
            {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]},
            *([name, weight] for name, weight in zip(names, weights, strict=True)),
        ]
    }
    variants = {name: name for name in names}
    core = FlagdCore()
    document = {"state": "ENABLED", "variants": variants, "defaultVariant": names[0], "targeting": by_hand}
    core.set_flags(json.dumps({"flags": {"new-checkout": document}}))
    split = [{"variant": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]
    flag = {"type": "rules", "variants": variants, "default": names[0], "rules": [{"name": "all", "split": split}]}
    import msgspec

    evaluator = compiled({"new-checkout": msgspec.convert(flag, FlagDecision)})

    for user in USERS[:4000]:
        theirs = core.resolve_string_value("new-checkout", "", EvaluationContext(user)).variant
        assert evaluator.evaluate("new-checkout", user).variant == theirs
