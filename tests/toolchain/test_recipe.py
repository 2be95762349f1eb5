"""Recipes: the committed ones are complete, and what is wrong with one is said."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from scripts.errors import ToolchainError
from scripts.toolchain.recipe import RECIPES, load, names
from tests.support.tiny_recipe import write_recipe


@pytest.mark.parametrize("name", names())
def test_committed_recipe_is_complete_and_pinned(name: str) -> None:
    """Every recipe reads, and Go can check what it downloads."""
    recipe = load(name)
    assert recipe.expected_seconds > 0
    assert (RECIPES / name / "go.mod").is_file()
    assert (RECIPES / name / "go.sum").stat().st_size > 0


def test_provider_matches_its_python_package() -> None:
    """Pulumi starts the provider of exactly the version that the installed package names."""
    assert load("pulumi-resource-kubernetes").version == importlib.metadata.version("pulumi-kubernetes")


def test_cli_matches_its_python_package() -> None:
    """The CLI and the SDK are of one release."""
    assert load("pulumi").version == importlib.metadata.version("pulumi")


def test_version_reaches_the_linker_flags() -> None:
    """The binary must say the recipe's version, not a placeholder."""
    recipe = load("pulumi")
    assert any(flag.endswith(f"=v{recipe.version}") for flag in recipe.ldflags)
    assert not any("{" in flag for flag in recipe.ldflags)


def test_unknown_tool_is_refused_with_the_known_ones() -> None:
    """A typing mistake is answered with the choices."""
    with pytest.raises(ToolchainError, match="no tool called 'kubernets'") as refused:
        load("kubernets")
    assert "kubernetes" in refused.value.next_step


def test_tool_name_cannot_leave_the_folder_of_recipes() -> None:
    """A name is a name, not a path."""
    with pytest.raises(ToolchainError, match="no tool called"):
        load("../toolchain/pulumi")


@pytest.mark.parametrize(
    "recipe", ["version = ", 'version = "1"\n', 'version = 1\npackage = "."\nexpected_seconds = 1\n']
)
def test_recipe_that_cannot_be_read_is_named(tmp_path: Path, recipe: str) -> None:
    """Wrong TOML, a missing key and a wrong type all name the file."""
    write_recipe(tmp_path, recipe=recipe)
    with pytest.raises(ToolchainError, match=r"tiny/recipe\.toml cannot be read"):
        load("tiny", tmp_path)


def test_digest_follows_what_is_built_and_not_what_is_said_about_it(tmp_path: Path) -> None:
    """A comment or a better estimate costs nobody a rebuild; a changed source does."""
    folder = write_recipe(tmp_path)
    before = load("tiny", tmp_path).digest

    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text("# a comment\n" + text.replace("expected_seconds = 2", "expected_seconds = 3"))
    assert load("tiny", tmp_path).digest == before

    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert load("tiny", tmp_path).digest != before


def test_more_go_files_of_the_package_are_built_and_their_tests_are_not(tmp_path: Path) -> None:
    """A change of one is a change of the tool; a change of a test costs nobody a rebuild."""
    folder = write_recipe(tmp_path)
    before = load("tiny", tmp_path).digest

    (folder / "more_test.go").write_text("package main\n")
    assert load("tiny", tmp_path).digest == before
    (folder / "more.go").write_text("package main\n")
    assert load("tiny", tmp_path).digest != before
    assert [path.name for path in load("tiny", tmp_path).source_files()] == ["go.mod", "main.go", "more.go"]
