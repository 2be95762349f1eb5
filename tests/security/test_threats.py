"""Every test that the security model names exists; every threat names one, or says that it is not covered."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def functions_in(path: str) -> frozenset[str]:
    """Names of the test functions in the file; none where there is no such file."""
    file = ROOT / path
    nodes = ast.walk(ast.parse(file.read_text())) if file.is_file() else ()
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def threats() -> list[list[str]]:
    """Cells of the rows below ``## Threats``, without the heads."""
    lines = PAGE.partition("## Threats")[2].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] != "threat" and not row[0].startswith("---")]


def test_every_test_that_is_named_exists() -> None:
    """A renamed test would leave a threat without what is said to stand against it."""
    named = NAMED.findall(PAGE)

    assert len(named) > 60
    assert [f"{path}::{name}" for path, name in named if name not in functions_in(path)] == []


def test_every_threat_names_a_test_or_says_that_it_is_not_covered() -> None:
    """A cell that is neither would read as covered."""
    unclear = [row for row in threats() if len(row) != 3 or not (NAMED.search(row[2]) or "not covered" in row[2])]

    assert len(threats()) > 40
    assert unclear == []
