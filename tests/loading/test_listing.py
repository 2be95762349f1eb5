"""Lists for a person."""

from __future__ import annotations

import pytest

from policies.listing import first_of


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (["a"] * 1202, "a, a and 1,200 more"),
    ],
)
def test_the_first_are_named_and_the_rest_counted(texts: list[str], told: str) -> None:
    assert first_of(texts, 2) == told
