"""A recipe that Go builds in a second, for tests of the toolchain."""

from __future__ import annotations

from pathlib import Path

GOOD = 'package main\n\nfunc main() { println("tiny 1.2.3") }\n'
BAD = "package main\n\nfunc main() { thisDoesNotExist() }\n"

_RECIPE = """\
version = "1.2.3"
package = "."
expected_seconds = 2

[path]
version_command = ["{binary}", "--version"]
acceptable = ">=1.2,<2"
companions = ["tiny-companion"]
"""


def write_recipe(recipes: Path, *, main: str = GOOD, recipe: str = _RECIPE) -> Path:
    """Write the recipe ``tiny`` into the folder ``recipes``; returns its folder."""
    folder = recipes / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(recipe)
    (folder / "go.mod").write_text("module tiny\n\ngo 1.26\n")
    (folder / "main.go").write_text(main)
    return folder


def write_program(folder: Path, name: str, *, prints: str) -> Path:
    """An executable that prints one line whatever it is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path
