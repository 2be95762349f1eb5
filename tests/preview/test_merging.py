"""Reports of parallel jobs become one, or are refused."""

from __future__ import annotations

import msgspec
import pytest

from pipelines.preview.merging import ReportsDisagree, ReportUnreadable, merged, read_report
from pipelines.preview.report import Report, ToolVersion
from tests.preview import examples
from tests.preview.examples import TOOLS, report, several_environments


def apart(whole: Report) -> list[Report]:
    """One report for each environment, as the jobs write them."""
    return [msgspec.structs.replace(whole, environments=(one,)) for one in whole.environments]


def test_reports_of_single_environments_are_joined_by_name() -> None:
    """In whatever order the jobs ended."""
    whole = several_environments()

    assert merged(apart(whole)[::-1]) == whole


def test_notes_and_tools_are_kept_once() -> None:
    """Each job used the same programs, or says so."""
    first = report(notes=("one",))
    second = report(notes=("one", "two"), tools=(*TOOLS, ToolVersion(name="checkov", version="3")))
    joined = merged([first, second])

    assert joined.notes == ("one", "two")
    assert [tool.name for tool in joined.tools] == ["adx", "pulumi", "checkov"]


@pytest.mark.parametrize("name", ["base", "head", "merged", "policies_commit"])
def test_reports_of_different_commits_are_refused(name: str) -> None:
    """They would show what nobody is going to merge."""
    other = msgspec.structs.replace(several_environments(), **{name: "f" * 40})

    with pytest.raises(ReportsDisagree, match="different commits") as refusal:
        merged([several_environments(), other])
    assert "f" * 40 in str(refusal.value)
    assert refusal.value.next_step


def test_an_environment_told_twice_alike_is_told_once() -> None:
    """A file that is named twice does no harm."""
    whole = several_environments()

    assert merged([whole, *apart(whole)]) == whole


def test_an_environment_told_twice_differently_is_refused() -> None:
    """Nobody knows which is right."""
    with pytest.raises(ReportsDisagree, match="two reports say different things of staging"):
        merged([examples.version_raised(), examples.quota_raised()])


def test_no_report_at_all_is_refused() -> None:
    """An empty comment would look like a good one."""
    with pytest.raises(ReportsDisagree, match="no report"):
        merged([])


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"base": 1}', b"[" * 100_000])
def test_what_is_no_report_is_refused_by_name(data: bytes) -> None:
    """The file, and how to make one."""
    with pytest.raises(ReportUnreadable, match=r"report-staging\.json is no report") as refusal:
        read_report(data, "report-staging.json")
    assert "adx preview --output" in refusal.value.next_step
