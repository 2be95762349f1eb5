"""The error of a whole deployment is never more than promised, however it is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.services.analysis.looks import Look, planned_looks


@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 400))
def test_shares_add_up_to_the_error_at_most(planned: int, checks: int, made: int) -> None:
    """Also when more looks are made than planned."""
    spent = sum(Look(number, planned).share(0.05, checks) * checks for number in range(1, made + 1))
    assert spent <= 0.05 * (1 + 1e-9)
    if made >= planned:
        assert spent == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("bakes", "looks"), [((60,), 4), ((60, 300), 24), ((50,), 4), ((0,), 1), ((), 1), ((5, 5, 60), 6)]
)
def test_looks_are_planned_over_all_bakes(bakes: tuple[int, ...], looks: int) -> None:
    """Every 15 s, and at the end of each bake."""
    assert planned_looks(bakes, 15) == looks


@pytest.mark.parametrize(("number", "planned"), [(0, 4), (1, 0)])
def test_looks_count_from_1(number: int, planned: int) -> None:
    """A look 0 would be one more than planned."""
    with pytest.raises(ValueError, match="cannot be"):
        Look(number, planned)
