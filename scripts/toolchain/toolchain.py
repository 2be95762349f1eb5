"""Where a tool comes from: PATH, else the user's cache, else a build.

``resolve`` may build; ``locate`` never does and is what status pages use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scripts.progress import Reporter, Silent
from scripts.toolchain import golang
from scripts.toolchain.building import Builder
from scripts.toolchain.cache import Cache
from scripts.toolchain.locking import turns
from scripts.toolchain.recipe import RECIPES, OnPath, Recipe, load
from scripts.toolchain.versions import find_version, is_acceptable

PULUMI_TOOLS = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")
_ASK_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Tool:
    """A usable tool; ``path`` is its binary."""

    name: str
    version: str
    path: Path
    source: Literal["path", "cache", "built"]

    def files(self, recipe: Recipe) -> list[Path]:
        """The binary and the files that must lie beside it."""
        beside = [Path(copy.file).name for copy in recipe.copies if copy.to == "beside-binary"]
        return [self.path, *(self.path.parent / name for name in beside)]


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The tools of ``recipes``, resolved with the variables of ``environ``; ``reporter`` hears of builds."""

    recipes: Path = RECIPES
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    reporter: Reporter = field(default_factory=Silent)

    @property
    def cache(self) -> Cache:
        """The cache that ``environ`` chooses."""
        return Cache.of_user(self.environ)

    def locate(self, name: str) -> Tool | None:
        """The tool if it can be used at once; ToolchainError only when no recipe has that name."""
        recipe = load(name, self.recipes)
        return self._on_path(recipe) or self._in_cache(recipe)

    def resolve(self, name: str) -> Tool:
        """The tool, built if need be; ToolchainError when it cannot be."""
        found = self.locate(name)
        return found or self._build(load(name, self.recipes))

    def bin_folder(self, names: tuple[str, ...] = PULUMI_TOOLS) -> Path:
        """One folder to be put first on PATH, with the tools ``names`` and what must lie beside them."""
        files: list[Path] = []
        for name in names:
            files += self.resolve(name).files(load(name, self.recipes))
        return self.cache.link_folder(files)

    def _on_path(self, recipe: Recipe) -> Tool | None:
        if recipe.path is None:
            return None
        found = shutil.which(recipe.name, path=self._foreign_path())
        if found is None or not _has_companions(Path(found), recipe.path):
            return None
        version = _ask_version(Path(found), recipe.path)
        if version is None or not is_acceptable(version, recipe.path.acceptable):
            return None
        return Tool(recipe.name, version, Path(found), "path")

    def _foreign_path(self) -> str:
        """PATH without folders of our own cache: what we built ourselves is not "on PATH"."""
        folders = self.environ.get("PATH", os.defpath).split(os.pathsep)
        return os.pathsep.join(folder for folder in folders if not Path(folder).is_relative_to(self.cache.root))

    def _in_cache(self, recipe: Recipe) -> Tool | None:
        binary = self.cache.find(recipe)
        return Tool(recipe.name, recipe.version, binary, "cache") if binary else None

    def _build(self, recipe: Recipe) -> Tool:
        cache = self.cache
        cache.root.mkdir(parents=True, exist_ok=True)
        with turns(cache.lock_file, f"waiting to build {recipe.name}: another process is building", self.reporter):
            built_meanwhile = self._in_cache(recipe)
            if built_meanwhile is not None:
                return built_meanwhile
            shutil.rmtree(cache.building_folder, ignore_errors=True)
            go = golang.ensure(cache, self.environ, self.reporter)
            path = Builder(cache, go, self.environ, self.reporter).build(recipe)
        return Tool(recipe.name, recipe.version, path, "built")


def _has_companions(binary: Path, rule: OnPath) -> bool:
    return all((binary.parent / name).is_file() for name in rule.companions)


def _ask_version(binary: Path, rule: OnPath) -> str | None:
    """What the binary on PATH says its version is; None when it does not answer."""
    values = {"binary": str(binary), "folder": str(binary.parent)}
    command = [part.format_map(values) for part in rule.version_command]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return find_version(answer.stdout) if answer.returncode == 0 else None
