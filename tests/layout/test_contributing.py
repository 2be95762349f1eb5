"""CONTRIBUTING.md says which file to change: every path of its table exists, and names what its row says of it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?!to …|---)(?P<what>.+?) \| (?P<where>.+) \|$", re.MULTILINE)
ROWS = [(row["what"], row["where"]) for row in ROW.finditer((ROOT / "CONTRIBUTING.md").read_text("utf-8"))]
PATH = re.compile(r"[\w.<>*-]*/[\w./<>*-]*|[\w<>*-]+\.(?:py|json|txt|toml|md)|Makefile")
NAME = re.compile(r"[A-Z]\w*[a-z]\w*|[A-Z_]{4,}")


def test_the_table_is_read() -> None:
    """A table in another form would pass whatever it says."""
    assert len(ROWS) > 50


@pytest.mark.parametrize(("what", "where"), ROWS, ids=[what for what, _ in ROWS])
def test_every_path_of_a_row_exists(what: str, where: str) -> None:
    """A name without a folder lies where a path of the same row does; a class or constant stands in one of them."""
    found: list[Path] = []
    for word in re.findall(r"`([^`]+)`", where):
        if PATH.fullmatch(word):
            matches = _matches(word, found)
            assert matches, f"to {what}: there is no {word}"
            found += matches
        elif program := re.match(r"python -m ([\w.]+)", word):
            assert find_spec(program[1]) is not None, f"to {what}: there is no {program[1]}"
        elif NAME.fullmatch(word):
            files = [file for path in found for file in ([path] if path.is_file() else path.rglob("*.py"))]
            assert any(re.search(rf"\b{word}\b", file.read_text("utf-8")) for file in files), f"no {word} in {where}"


def _matches(word: str, before: list[Path]) -> list[Path]:
    pattern = re.sub(r"<\w+>", "*", word).rstrip("/")
    at_root = list(ROOT.glob(pattern))
    if at_root or "/" in word:
        return at_root
    folders = [path if path.is_dir() else path.parent for path in before]
    return [match for folder in folders for match in folder.glob(pattern)]
