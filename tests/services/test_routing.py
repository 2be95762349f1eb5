"""Splits of requests between releases: what one can say, and what a gateway is told."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import strategies as st

from policies.services.routing import Mirror, Split, Sticky, TesterRoute, all_on, shifted
from tests.support.strategies import property_of

BLUE, GREEN = "b1b1b1b1", "9e9e9e9e"


@property_of(st.integers(0, 100))
def test_what_one_release_gets_the_other_gives(green_percent: int) -> None:
    """For any share of green, the gateway is told of both releases and of 100 per cent."""
    releases = shifted(BLUE, GREEN, green_percent).to_gateway_json()["releases"]

    assert releases == {BLUE: 100 - green_percent, GREEN: green_percent}


def test_a_gateway_is_told_everything() -> None:
    """Given testers, a cookie and copies, the body names them in the words of the gateway's API."""
    split = shifted(BLUE, GREEN, 5, testers=("x-adx-release", "green"), sticky=Sticky(cookie="c"), mirror_percent=10)

    assert split.to_gateway_json() == {
        "releases": {GREEN: 5, BLUE: 95},
        "testers": {"header": "x-adx-release", "value": "green", "release": GREEN},
        "sticky": {"cookie": "c"},
        "mirror": {"release": GREEN, "percent": 10},
    }


def test_a_gateway_is_told_what_there_is_not() -> None:
    """Given one release and nothing else, the body says so for each part."""
    assert all_on(BLUE).to_gateway_json() == {"releases": {BLUE: 100}, "testers": None, "sticky": None, "mirror": None}
    assert all_on(BLUE, sticky=Sticky(header="x-s")).to_gateway_json()["sticky"] == {"header": "x-s"}


def test_what_may_be_at_the_edge_is_taken() -> None:
    """Given a fallback without a weight, and copies of one or of all requests, the gateway is told so."""
    split = Split({BLUE: 100, GREEN: 0}, mirror=Mirror(GREEN, 100), fallback=GREEN)

    assert split.to_gateway_json()["fallback"] == GREEN
    assert list(split.to_gateway_json()["releases"]) == [GREEN, BLUE]
    assert split.mirror == Mirror(GREEN, 100) != Mirror(GREEN, 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Split({BLUE: 50, GREEN: 49}), "do not add up to 100: 9e9e9e9e 49, b1b1b1b1 50"),
        (lambda: Split({}), "no release"),
        (lambda: Split({BLUE: 110, GREEN: -10}), "cannot have 110 %"),
        (lambda: Split({"blue": 100}), "'blue' is no id"),
        (lambda: Split({BLUE: 100}, testers=TesterRoute("h", "v", GREEN)), "testers would go to the release 9e9e9e9e"),
        (lambda: Split({BLUE: 100}, fallback=GREEN), "fallback would be the release 9e9e9e9e"),
        (lambda: Split({BLUE: 100}, mirror=Mirror(GREEN, 5)), "copies would go to the release 9e9e9e9e"),
        (lambda: shifted(BLUE, GREEN, 100, mirror_percent=5), "has all requests"),
        (lambda: shifted(BLUE, BLUE, 5), "from itself"),
        (lambda: shifted(BLUE, GREEN, 101), "cannot have -1 %"),
        (lambda: Mirror(BLUE, 0), "write 1 to 100"),
        (lambda: Mirror(BLUE, 101), "101 % of the requests cannot be copied"),
        (lambda: Split({BLUE: True, GREEN: 99}), "b1b1b1b1 cannot have True %"),
        (lambda: Split({BLUE: cast("int", 100.0)}), "cannot have 100.0 %"),
        (lambda: Split({f"{BLUE}0": 100}), "no id of a release"),
        (Sticky, "either a cookie or a header"),
        (lambda: Sticky(cookie="a", header="b"), "either a cookie or a header"),
    ],
)
def test_what_cannot_be_routed_is_refused_with_the_reason(make: Any, why: str) -> None:
    """Given a split that no gateway could carry out, making it says what is wrong."""
    with pytest.raises(ValueError, match=why):
        make()
