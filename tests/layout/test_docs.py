"""Pages that are written by programs are current; figures in the README are those of the last benchmark."""

from __future__ import annotations

from pathlib import Path

from scripts.bench import readme
from scripts.docs import declarations

ROOT = Path(__file__).parents[2]


def test_the_reference_of_declarations_is_what_the_schemas_say() -> None:
    """Otherwise run ``python -m scripts.docs``."""
    assert declarations.TARGET.read_text() == declarations.render()


def test_the_readme_quotes_the_last_benchmarks() -> None:
    """Otherwise run ``make bench``, or ``python -m scripts.bench.readme``."""
    text = (ROOT / "README.md").read_text()

    assert readme.quoted(text) == text
