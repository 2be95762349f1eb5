"""The figures in docs/analysis.md are what the code does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.analysis import chances

PAGE = Path(__file__).parents[3] / "docs" / "analysis.md"


@pytest.mark.parametrize("table", [chances.rate_table, chances.latency_table])
def test_the_page_shows_what_is_computed(table: Callable[[], list[str]]) -> None:
    """Row by row; ``python -m tests.services.analysis.chances`` prints the right ones."""
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_the_page_says_what_a_canary_finds() -> None:
    """100 requests of green against 1900 of blue, 10 % errors, one look."""
    found = chances.chance((100, 0.1), (1900, 0.0), chances.is_shown_worse(chances.WORSE_BY, chances.SHARE))
    assert f"at one look in {found * 100:.0f} % of all cases" in PAGE.read_text(encoding="utf-8")
