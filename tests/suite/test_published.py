"""What is published of the tests: tables of coverage, of the slowest tests and of mutation scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.mutants import results
from scripts.mutants.cores import CORES
from scripts.mutants.workspace import Mutant
from scripts.suite import coverage, slowest
from scripts.suite.__main__ import PAGE, with_scores
from scripts.suite.blocks import filled

ROOT = Path(__file__).parents[2]


def counts(lines: int, missing_lines: int, branches: int, missing_branches: int) -> dict[str, dict[str, int]]:
    """A file as ``coverage json`` sums it up."""
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": lines - missing_lines,
            "missing_lines": missing_lines,
            "num_branches": branches,
            "covered_branches": branches - missing_branches,
            "missing_branches": missing_branches,
        }
    }


def test_coverage_is_summed_by_package_and_the_worst_files_come_first(tmp_path: Path) -> None:
    """Folders below a package count as the package; a file without branches has no share of them."""
    files = {
        "policies/services/analysis/judge.py": counts(30, 3, 10, 4),
        "policies/services/order.py": counts(10, 0, 0, 0),
        "infra/errors.py": counts(5, 0, 0, 0),
    }
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps({"files": files}))

    lines = coverage.tables(report).splitlines()

    assert "| infra | 5 | 100.0 % | 0 |  |" in lines
    assert "| policies/services | 40 | 92.5 % | 10 | 60.0 % |" in lines
    assert "| all | 45 | 93.3 % | 10 | 60.0 % |" in lines
    assert lines[lines.index("| file | branches not taken | lines not run |") + 2] == (
        "| policies/services/analysis/judge.py | 4 | 3 |"
    )


def test_the_slowest_tests_come_first_with_why_they_may(tmp_path: Path) -> None:
    """One that nobody has thought of stands out."""
    cases = [
        '<testcase classname="tests.engine.test_locks" name="test_a[x|y]" time="3.25"/>',
        '<testcase classname="tests.nowhere.test_b" name="test_b" time="7"/>',
        *(f'<testcase classname="tests.engine.test_c" name="test_{number}" time="0.1"/>' for number in range(30)),
    ]
    report = tmp_path / "suite.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")

    lines = slowest.slowest(report).splitlines()

    assert len(lines) == 22
    assert lines[2] == "| tests/nowhere/test_b.py::test_b | 7.0 | **not justified** |"
    assert lines[3].startswith(r"| tests/engine/test_locks.py::test_a[x\|y] | 3.2 | runs Pulumi;")


def test_reasons_speak_of_tests_that_exist() -> None:
    """A folder that was renamed takes its reason along."""
    assert [start for start, _ in slowest.REASONS if not list((ROOT / "tests").glob(f"{start[6:]}*"))] == []


def test_a_survivor_is_listed_and_lowers_the_score() -> None:
    """What runs out of time was noticed; what no test reaches was not."""
    mutants = [Mutant(f"m.x_f__mutmut_{number}", "m.py", 9 - number, "a", "b") for number in range(4)]
    verdicts = dict(zip([one.name for one in mutants], ["killed", "timeout", "survived", "no test"], strict=True))

    row = results.entry("core", "m.py", 8, mutants, verdicts)

    assert (row["mutants"], row["tried"], row["score_percent"]) == (8, 4, 50.0)
    assert [(one["at"], one["verdict"]) for one in row["survivors"]] == [("m.py:6", "no test"), ("m.py:7", "survived")]
    again = results.without_noticed(row, {mutants[2].name: "killed", mutants[3].name: "survived"})
    assert again["score_percent"] == 75.0
    assert [(one["at"], one["verdict"]) for one in again["survivors"]] == [("m.py:6", "survived")]
    assert results.table([again]).splitlines()[-1] == "| all | 8 | 4 | 3 | 75.0 % | 0 | 1 |"


@pytest.mark.parametrize(
    ("before", "after", "is_text"),
    [
        ('raise Error("No such unit")', 'raise Error("XXNo such unitXX")', True),
        ('raise Error("No such unit")', 'raise Error("NO SUCH UNIT")', True),
        ('raise Error("No such unit")', "raise Error(None)", False),
        ("return one > other", "return one >= other", False),
    ],
)
def test_altered_words_are_counted_apart(before: str, after: str, is_text: bool) -> None:
    """They are many, and say little about the code."""
    assert results.is_text({"before": before, "after": after}) is is_text


def test_a_partial_run_keeps_the_rows_of_other_modules(tmp_path: Path) -> None:
    """One row for each module, in order."""
    path = tmp_path / "mutants.json"
    results.write([{"module": "b.py", "tried": 1}, {"module": "c.py", "tried": 1}], path)
    results.write([{"module": "a.py", "tried": 2}, {"module": "c.py", "tried": 2}], path)

    assert [(row["module"], row["tried"]) for row in results.read(path)] == [("a.py", 2), ("b.py", 1), ("c.py", 2)]


def test_every_core_is_there() -> None:
    """A module that moved would no longer be tried, and nobody would know."""
    named = [path for core in CORES for path in (*core.modules, *core.tests)]

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_page_quotes_the_last_scores() -> None:
    """Otherwise run ``python -m scripts.suite``."""
    page = PAGE.read_text()

    assert with_scores(page) == page


def test_a_page_without_the_block_is_refused() -> None:
    """Instead of a figure that is written nowhere."""
    assert filled("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", r"\1") == "a\n<!-- x -->\n\\1\n<!-- /x -->\nb"
    with pytest.raises(ValueError, match="0 blocks"):
        filled("a", "x", "new")
