"""``python -m scripts.suite``: write what was measured of the tests into docs/testing.md.

``--coverage`` takes the file of ``coverage json``, ``--slowest`` the one of
``pytest --junitxml``; the mutation scores are those of docs/benchmarks/mutants.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.mutants import results
from scripts.suite import coverage, slowest
from scripts.suite.blocks import filled

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"


def main() -> None:
    """Fill the blocks for which there is something new."""
    parser = argparse.ArgumentParser(prog="python -m scripts.suite", description=__doc__)
    parser.add_argument("--coverage", type=Path)
    parser.add_argument("--slowest", type=Path)
    options = parser.parse_args()
    page = with_scores(PAGE.read_text())
    if options.coverage:
        page = filled(page, "coverage", coverage.tables(options.coverage))
    if options.slowest:
        page = filled(page, "slowest", slowest.slowest(options.slowest))
    PAGE.write_text(page)


def with_scores(page: str) -> str:
    """``page`` with the mutation scores of the last run."""
    return filled(page, "mutants", results.table(results.read()))


if __name__ == "__main__":
    main()
