"""What reviewers read about ordinary pull requests, as golden files: a comment, and a terminal of 80 columns."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console, RenderableType

from pipelines.preview.markdown import markdown
from pipelines.preview.merging import read_report
from pipelines.preview.report import Report
from pipelines.screens.preview import preview_screen
from tests.preview import inert
from tests.preview.examples import EXAMPLES, several_environments
from tests.preview.golden import assert_golden
from tests.preview.schema_examples import SCHEMA_EXAMPLES

ALL = {**EXAMPLES, **SCHEMA_EXAMPLES}


def drawn(screen: RenderableType, width: int = 80) -> str:
    """``screen`` as a pipe of ``width`` columns gets it."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, emoji=False).print(screen)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ALL)
def test_a_comment_says_what_would_happen(name: str) -> None:
    """The dangerous first, then the counts, then the details, folded."""
    assert_golden(f"{name}.md", markdown(ALL[name]()))


@pytest.mark.parametrize("name", ALL)
def test_a_screen_says_it_in_short(name: str) -> None:
    """An ordinary change needs no scrolling."""
    text = drawn(preview_screen(ALL[name]()))
    assert_golden(f"{name}.txt", text)
    assert len(text.splitlines()) <= 40


def test_the_full_screen_shows_every_property() -> None:
    """On request only."""
    text = drawn(preview_screen(several_environments(), is_full=True))
    assert_golden("several_environments_full.txt", text)
    assert "spec.template.spec.containers[0].image" in text
    assert "--full" not in text


@pytest.mark.parametrize("name", ALL)
def test_the_json_of_a_report_reads_back_as_the_same_report(name: str) -> None:
    """What one CI job writes, another reads."""
    report = ALL[name]()
    assert read_report(msgspec.json.encode(report), "x.json") == report


@pytest.mark.parametrize("name", ALL)
def test_all_html_of_a_comment_is_its_own_folding(name: str) -> None:
    """Nothing else is markup."""
    for block in inert.html(markdown(ALL[name]())):
        assert block.strip().startswith(("<details><summary>", "</details>"))


def test_every_environment_is_told_of() -> None:
    """Also one in which nothing changes."""
    report: Report = several_environments()
    for text in (markdown(report), drawn(preview_screen(report))):
        assert {"development", "staging", "production"} == {
            one.environment for one in report.environments if one.environment in text
        }
