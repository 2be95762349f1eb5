"""Recipes: how one pinned tool is built and which other copies of it are acceptable.

A recipe is a folder ``scripts/toolchain/<tool>/`` with ``recipe.toml``,
``go.mod``, ``go.sum`` and sometimes ``main.go`` and more Go files of the same
package. Reading one starts nothing.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from scripts.errors import ToolchainError

RECIPES = Path(__file__).parent
_SOURCES = ("go.mod", "go.sum", "main.go")


class OnPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which copy of the tool on PATH may be used instead of building.

    ``version_command`` may use ``{binary}`` and ``{folder}``; ``companions`` are files that must lie beside it.
    """

    version_command: tuple[str, ...]
    acceptable: str
    companions: tuple[str, ...] = ()


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file taken from a module of the Go module cache, laid beside main.go or beside the built binary."""

    module: str
    file: str
    to: Literal["source", "beside-binary"]


class _RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    package: str
    expected_seconds: int
    ldflags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    path: OnPath | None = None
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """One tool; ``digest`` changes with all that decides what is built, ``expected_seconds`` is on 2 cores."""

    name: str
    folder: Path
    digest: str
    version: str
    package: str
    ldflags: tuple[str, ...]
    tags: tuple[str, ...]
    expected_seconds: int
    path: OnPath | None
    copies: tuple[Copy, ...]

    def source_files(self) -> list[Path]:
        """The files that Go needs; the copies from other modules are not among them."""
        always = [self.folder / name for name in _SOURCES if (self.folder / name).is_file()]
        return [*always, *_more_sources(self.folder)]


def load(name: str, recipes: Path = RECIPES) -> Recipe:
    """The recipe called ``name``; ToolchainError when there is none or it cannot be read."""
    folder = recipes / name
    if name not in names(recipes):
        known = ", ".join(names(recipes))
        raise ToolchainError(f"there is no tool called {name!r}", next_step=f"choose one of: {known}")
    try:
        text = (folder / "recipe.toml").read_text(encoding="utf-8")
        read = msgspec.convert(tomllib.loads(text), _RecipeFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ToolchainError(
            f"the recipe {folder / 'recipe.toml'} cannot be read: {error}", next_step="correct the file"
        ) from error
    return Recipe(
        name=name,
        folder=folder,
        digest=_digest(folder, read),
        version=read.version,
        package=read.package,
        ldflags=tuple(flag.replace("{version}", read.version) for flag in read.ldflags),
        tags=read.tags,
        expected_seconds=read.expected_seconds,
        path=read.path,
        copies=read.copies,
    )


def names(recipes: Path = RECIPES) -> list[str]:
    """All tools with a recipe, sorted."""
    return sorted(path.parent.name for path in recipes.glob("*/recipe.toml"))


def _digest(folder: Path, read: _RecipeFile) -> str:
    """What decides the binary: the sources and the recipe's build settings, not its comments or expectations."""
    settings = (read.version, read.package, read.ldflags, read.tags, read.copies)
    digest = hashlib.sha256(msgspec.json.encode(settings, order="deterministic"))
    for name in _SOURCES:
        path = folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    for path in _more_sources(folder):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _more_sources(folder: Path) -> list[Path]:
    """The Go files beside ``main.go``; tests are not built."""
    return sorted(
        path for path in folder.glob("*.go") if path.name not in _SOURCES and not path.name.endswith("_test.go")
    )
