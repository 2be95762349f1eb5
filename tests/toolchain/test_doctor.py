"""The table of tools: complete, honest about what is missing, and without side effects."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.toolchain import Toolchain, doctor
from scripts.toolchain.python_tools import PYTHON_TOOLS
from scripts.toolchain.recipe import names

_FROM_ELSEWHERE = {"python", "git", "go", "temporal", "temporal-test-server", "postgresql", "redis", "mariadb"}


def test_every_tool_has_a_row() -> None:
    """Recipes and what comes from PyPI or the machine alike."""
    assert {row.tool for row in doctor()} == {*names(), *PYTHON_TOOLS, *_FROM_ELSEWHERE}


def test_tool_that_is_there_has_version_and_path() -> None:
    """A row without a path is a missing tool."""
    for row in doctor():
        assert (row.path is None) == (row.source == "missing")
        assert row.version or row.source == "missing"
        assert row.path is None or row.path.exists()


def test_missing_tool_says_how_it_comes_and_nothing_is_built(tmp_path: Path) -> None:
    """Looking must not start anything."""
    cache = tmp_path / "cache"
    environ = {**os.environ, "ADX_CACHE_DIR": str(cache), "PATH": str(tmp_path)}
    rows = {row.tool: row for row in doctor(Toolchain(environ=environ))}
    assert rows["kubernetes"].source == "missing"
    assert "built when first needed" in rows["kubernetes"].note
    assert rows["go"].source == "missing"
    assert "PyPI" in rows["go"].note
    assert rows["checkov"].source == "missing"
    assert "PyPI" in rows["checkov"].note
    assert rows["git"].source == "missing"
    assert not cache.exists()
