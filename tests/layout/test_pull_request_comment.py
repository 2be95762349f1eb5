"""docs/pull-request-comment.md holds a whole comment, and what writes it still fits the samples.

The page is not written anew here: that takes a stack, see ``python -m scripts.example``.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.preview.changes import read
from scripts.example.page import TARGET, page
from scripts.example.proposal import BRANCH, ENVIRONMENT, declare_waves, propose, take_time
from scripts.example.repository import Repository

PARTS = re.compile(r"\n---\n\n(?P<comment>.+)\n\n---\n.+```text\n(?P<terminal>.+)\n```\n\Z", re.DOTALL)


def parts() -> tuple[str, str]:
    """The comment and the screen on the page."""
    found = PARTS.search(TARGET.read_text("utf-8"))
    assert found is not None
    return found["comment"], found["terminal"]


def test_the_page_around_the_comment_is_what_its_writer_makes() -> None:
    """Otherwise run ``python -m scripts.example``."""
    assert page(*parts()) == TARGET.read_text("utf-8")


def test_the_comment_is_whole() -> None:
    """The verdict, the summary, what is dangerous, what only warns, and the plan that a rollout can be bound to."""
    comment, _ = parts()

    assert comment.startswith("## ADX preview: ⚠️ ")
    assert "| environment | system | delete | replace | update | create |" in comment
    assert "### Estimated disruption" in comment
    assert "### Waves" in comment
    assert "### Policy findings that do not block" in comment
    assert re.search(rf"`{ENVIRONMENT}`: delivered now `[0-9a-f]{{12}}`, plan `[0-9a-f]{{16}}`", comment)
    assert comment.rstrip().endswith("</sub>")


def test_the_screen_and_the_comment_tell_of_the_same_plan_in_eighty_columns() -> None:
    """They were made by two commands from one state."""
    comment, terminal = parts()
    digest = re.search(rf"^{ENVIRONMENT} .* plan ([0-9a-f]{{12}})$", terminal, re.MULTILINE)

    assert digest is not None
    assert f"plan `{digest[1]}" in comment
    assert [line for line in terminal.splitlines() if len(line) > 80] == []


def test_the_proposed_change_still_fits_the_samples(tmp_path: Path) -> None:
    """It is valid and touches one environment; a sample that was renamed would be found by the next writer only."""
    repository = Repository(tmp_path)
    repository.create()
    declare_waves(repository)
    take_time(repository)
    propose(repository)

    assert read(repository.work, "main", BRANCH).affected() == [ENVIRONMENT]
