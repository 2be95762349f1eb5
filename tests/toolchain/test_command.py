"""``python -m scripts.toolchain`` as a person or a Makefile calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.toolchain.__main__ import main


def test_list_names_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    """The default command is the table."""
    assert main([]) == 0
    assert "temporal-test-server" in capsys.readouterr().out


def test_unknown_tool_is_an_error_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Message, next step, exit status 1."""
    assert main(["path", "nothing"]) == 1
    printed = capsys.readouterr().err
    assert "no tool called 'nothing'" in printed
    assert "next: choose one of:" in printed
    assert "Traceback" not in printed


def test_path_prints_only_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a shell may use it as $(…)."""
    assert main(["path", "kwok"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_path_of_a_python_tool_is_its_python(capsys: pytest.CaptureFixture[str]) -> None:
    """What is run is the environment, not a command in it."""
    assert main(["path", "checkov"]) == 0
    python = Path(capsys.readouterr().out.strip())
    assert python.is_file()
    assert python.name.startswith("python")
