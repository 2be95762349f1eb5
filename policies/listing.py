"""Lists for a person: the first few, and how many more. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def first_of(texts: Sequence[str], most: int) -> str:
    """``a, b and 1,200 more``: the first ``most`` of ``texts`` in their order; empty for none."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")
