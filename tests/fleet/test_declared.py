"""What may be declared about fleets, freezes and windows, and what is said of the rest: one case file each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import case_files, run_case


@pytest.mark.parametrize("case", [*case_files(__file__, "rules"), *case_files(__file__, "schema")])
def test_case_is_judged_as_its_name_says(case: Path) -> None:
    """A valid case has no problem; a refused one has exactly the problems that it lists."""
    run_case(case)
