"""Where a tool comes from: PATH, then the cache, then a build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.toolchain import Toolchain
from scripts.toolchain.recipe import load
from tests.support.tiny_recipe import write_program, write_recipe


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    """A toolchain with one recipe, an empty cache and an empty folder first on PATH."""
    write_recipe(tmp_path / "recipes")
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    return Toolchain(tmp_path / "recipes", {**os.environ, "PATH": path, "ADX_CACHE_DIR": str(tmp_path / "cache")})


def test_acceptable_copy_on_path_is_taken(toolchain: Toolchain, tmp_path: Path) -> None:
    """Nothing is built when the machine has the tool already."""
    program = write_program(tmp_path / "bin", "tiny", prints="tiny v1.9.0")
    write_program(tmp_path / "bin", "tiny-companion", prints="")
    tool = toolchain.resolve("tiny")
    assert (tool.source, tool.version, tool.path) == ("path", "1.9.0", program)


@pytest.mark.parametrize("prints", ["tiny v1.1.9", "tiny v2.0.0", "no version"])
def test_copy_on_path_in_another_version_is_not_taken(toolchain: Toolchain, tmp_path: Path, prints: str) -> None:
    """Too old, too new and unknown are all refused."""
    write_program(tmp_path / "bin", "tiny", prints=prints)
    write_program(tmp_path / "bin", "tiny-companion", prints="")
    assert toolchain.locate("tiny") is None


def test_copy_on_path_without_its_companion_is_not_taken(toolchain: Toolchain, tmp_path: Path) -> None:
    """Half of a tool is no tool."""
    write_program(tmp_path / "bin", "tiny", prints="tiny v1.9.0")
    assert toolchain.locate("tiny") is None


def test_cached_tool_is_taken_when_path_has_none(toolchain: Toolchain) -> None:
    """What was built once is found again."""
    recipe = load("tiny", toolchain.recipes)
    program = write_program(toolchain.cache.tool_folder(recipe), "tiny", prints="tiny v1.2.3")
    tool = toolchain.resolve("tiny")
    assert (tool.source, tool.version, tool.path) == ("cache", "1.2.3", program)


def test_copy_on_path_comes_before_the_cache(toolchain: Toolchain, tmp_path: Path) -> None:
    """The machine's own tool wins."""
    recipe = load("tiny", toolchain.recipes)
    write_program(toolchain.cache.tool_folder(recipe), "tiny", prints="tiny v1.2.3")
    write_program(tmp_path / "bin", "tiny", prints="tiny v1.9.0")
    write_program(tmp_path / "bin", "tiny-companion", prints="")
    assert toolchain.resolve("tiny").source == "path"


def test_our_own_folder_on_path_does_not_count_as_path(toolchain: Toolchain) -> None:
    """Inside `adx env` the cache's links are first on PATH; they still come from the cache."""
    recipe = load("tiny", toolchain.recipes)
    program = write_program(toolchain.cache.tool_folder(recipe), "tiny", prints="tiny v1.2.3")
    write_program(program.parent, "tiny-companion", prints="")
    links = toolchain.cache.link_folder([program, program.parent / "tiny-companion"])
    inside = Toolchain(toolchain.recipes, {**toolchain.environ, "PATH": f"{links}{os.pathsep}{os.environ['PATH']}"})
    assert inside.resolve("tiny").source == "cache"


def test_tool_of_another_recipe_is_not_taken_from_the_cache(toolchain: Toolchain) -> None:
    """A changed recipe makes the old build invisible."""
    recipe = load("tiny", toolchain.recipes)
    write_program(toolchain.cache.tool_folder(recipe), "tiny", prints="tiny v1.2.3")
    (toolchain.recipes / "tiny" / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert toolchain.locate("tiny") is None


def test_link_folder_is_the_same_for_the_same_files(toolchain: Toolchain, tmp_path: Path) -> None:
    """One folder for PATH, however often it is asked for."""
    files = [write_program(tmp_path / "a", "one", prints="1"), write_program(tmp_path / "b", "two", prints="2")]
    folder = toolchain.cache.link_folder(files)
    assert toolchain.cache.link_folder(reversed(files)) == folder
    assert {link.name: link.resolve() for link in folder.iterdir()} == {path.name: path for path in files}
