"""What is accepted and refused of flags, and what is said: one case file each, under cases/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import case_files, run_case
from tests.support.declared import edited, problems_of

FLAGS = "environments/development/flags.yaml"


@pytest.mark.parametrize("case", [*case_files(__file__, "rules"), *case_files(__file__, "schema")])
def test_case_is_judged_as_its_name_says(case: Path) -> None:
    """A valid case has no problem; a refused one has exactly the problems that it lists."""
    run_case(case)


def user_list(name: str, users: list[str]) -> dict[str, object]:
    """A flag for ``users``."""
    return {"name": name, "description": "d", "owner": "o", "type": "user_list", "users": users}


def test_a_megabyte_of_users_is_refused():
    """More users than a list may hold, in one flag."""
    (problem,) = problems_of(edited({FLAGS: {"flags[2]": user_list("big", [f"user-{n:06}" for n in range(90_000)])}}))

    assert (problem.rule, problem.path) == ("schema", "flags[2].users")


def test_long_lists_that_no_config_map_could_hold_are_refused():
    """Each list is short enough; both documents of the environment together are not."""
    users = [f"{number:05}" + "u" * 100 for number in range(4000)]
    (problem,) = problems_of(
        edited({FLAGS: {"flags[2]": user_list("one", users), "flags[3]": user_list("two", users)}})
    )

    assert (problem.rule, problem.path) == ("configuration.flags-size", "flags")
    assert "of 1000000" in problem.what


def test_lists_that_fit_are_accepted():
    """Ten thousand short ids."""
    assert problems_of(edited({FLAGS: {"flags[2]": user_list("one", [f"user-{n}" for n in range(10_000)])}})) == []
