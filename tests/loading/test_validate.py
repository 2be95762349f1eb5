"""The reports of `adx validate`: for people, for scripts and for GitHub."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pipelines.exit_codes import ExitCode
from pipelines.problem_formats import Report, to_github, to_json, to_text
from pipelines.validate import run, validate
from policies.errors import AdxError, Problem
from tests.loading.repositories import Repository, base_files, write_folder

ACME = base_files()["tenants/acme.yaml"]


def problem(**changes: object) -> Problem:
    """A problem with a place."""
    fields: dict[str, object] = {
        "file": "tenants/acme.yaml",
        "line": 3,
        "column": 7,
        "path": "name",
        "what": "it is wrong",
        "fix": "make it right",
        "rule": "schema",
    }
    return Problem(**{**fields, **changes})  # type: ignore[arg-type] - the fields are named in place


def report(*problems: Problem, lines: dict[int, str] | None = None) -> Report:
    """A report of ``problems`` in one file."""
    shown = {"tenants/acme.yaml": lines or {}}
    return Report(source="shop", commit=None, files=10, problems=problems, source_lines=shown)


def ran(folder: Path, ref: str | None = None, output_format: str = "text") -> tuple[ExitCode, str]:
    """Exit status and output."""
    output = io.StringIO()
    return run(folder, ref, output_format, output), output.getvalue()  # type: ignore[arg-type] - one of the formats


def test_valid_declarations_are_said_to_be_valid(tmp_path: Path) -> None:
    """Given a valid folder, one line and exit status 0."""
    code, text = ran(write_folder(tmp_path, base_files()))
    assert (code, text) == (ExitCode.OK, f"10 declarations in {tmp_path}: all valid\n")


def test_a_commit_is_validated_whatever_the_files_are(tmp_path: Path) -> None:
    """Given a bad commit and a good one, each is judged by its own content; a bare repository by its HEAD."""
    repository = Repository(tmp_path / "repository.git")
    bad = repository.commit(base_files() | {"tenants/acme.yaml": b"a: ["})
    good = repository.commit(base_files(), parents=(bad,))
    assert validate(repository.path, bad).problems
    assert not validate(repository.path, good).problems
    assert validate(repository.path).commit == good
    with pytest.raises(AdxError):
        validate(repository.path, "no-such-ref")


def test_text_shows_each_problem_with_its_line_and_a_caret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grouped by file; what is wrong, the line, what would be right."""
    bad = ACME.replace(b"display_name: Acme Outfitters", b"display_nam: Acme Outfitters")
    monkeypatch.chdir(write_folder(tmp_path, base_files() | {"tenants/acme.yaml": bad}))
    code, text = ran(Path())
    assert code == ExitCode.DECLARATIONS_INVALID
    assert text == (
        "tenants/acme.yaml\n"
        "  1:1  the key display_name is missing\n"
        "      1 | apiVersion: adx/v1\n"
        "        | ^\n"
        "      = add display_name, for example display_name: Acme Outfitters  [schema]\n"
        "  4:1  the key display_nam is not known (display_nam)\n"
        "      4 | display_nam: •••\n"
        "        | ^\n"
        "      = write display_name  [schema]\n"
        "\n"
        "2 problems in 1 file of .\n"
    )


@pytest.mark.parametrize("column", [1, 40, 79, 300, 499])
def test_text_stays_within_the_width_and_the_caret_under_its_column(column: int) -> None:
    """Given a long line, the part around the caret is shown."""
    source = "".join(chr(97 + number % 26) for number in range(499)) + "!"
    text = to_text(report(problem(column=column, what="w " * 90), lines={3: source}), 80).plain
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    shown = next(index for index, line in enumerate(lines) if line.startswith("      3 | "))
    caret = lines[shown + 1].index("^")
    assert lines[shown][caret] == source[column - 1]


def test_text_without_a_place_says_whole_file() -> None:
    """A file that is in the wrong place has no line."""
    assert "whole file  it is wrong\n" in to_text(report(problem(line=0, column=0, path="")), 80).plain


def test_json_has_every_field_of_every_problem() -> None:
    """For scripts: whether it is valid, and all that is known."""
    found = json.loads(to_json(report(problem())))
    assert found["valid"] is False
    assert found["problems"] == [
        {
            "file": "tenants/acme.yaml",
            "line": 3,
            "column": 7,
            "path": "name",
            "what": "it is wrong",
            "fix": "make it right",
            "rule": "schema",
        }
    ]
    assert json.loads(to_json(report())) == {"valid": True, "commit": None, "files": 10, "problems": []}


def test_github_gets_one_command_for_each_problem() -> None:
    """With the place as properties and the path in the message."""
    first = to_github(report(problem())).splitlines()[0]
    expected = "::error file=tenants/acme.yaml,title=schema,line=3,col=7::it is wrong (name): make it right"
    assert first == expected


def test_github_commands_cannot_be_forged() -> None:
    """Given line breaks, percent signs and separators in names and messages, they are escaped."""
    hostile = problem(file="tenants/a,b:c%.yaml", what="x\r\n::add-mask::y %0A", fix="z", path="")
    text = to_github(report(hostile))
    assert text.splitlines()[0] == (
        "::error file=tenants/a%2Cb%3Ac%25.yaml,title=schema,line=3,col=7::x%0D%0A::add-mask::y %250A: z"
    )
    assert len(text.splitlines()) == 2


def test_a_line_of_the_source_cannot_be_taken_for_a_command() -> None:
    """Given a declaration whose lines look like workflow commands, text output keeps them inert."""
    shown = to_text(report(problem(), lines={3: "::error::x ##[add-path]/evil"}), 80).plain
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "##[" not in shown


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """Given an escape sequence and a bidirectional override in a file, the output is printable."""
    hostile = {"tenants/acme.yaml": "name: \x1b[2J\u202eevil\n".encode()}
    for output_format in ("text", "json", "github"):
        _, text = ran(write_folder(tmp_path / output_format, base_files() | hostile), output_format=output_format)
        assert all(line.isprintable() for line in text.splitlines()), text
