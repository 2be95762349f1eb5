"""What is accepted and refused of values, needs and secrets: one case file each, under cases/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import case_files, run_case


@pytest.mark.parametrize("case", case_files(__file__, "rules"))
def test_case_is_judged_as_its_name_says(case: Path) -> None:
    """A valid case has no problem; a refused one has exactly the problems that it lists."""
    run_case(case)


@pytest.mark.parametrize("case", case_files(__file__, "schema"))
def test_shape_is_judged_as_its_name_says(case: Path) -> None:
    """The same for what the JSON Schemas say."""
    run_case(case)
