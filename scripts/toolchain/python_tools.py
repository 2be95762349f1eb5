"""Python programs that cannot share our environment: from PATH, else the user's cache, else installed there by pip.

checkov is one: it pins so much that it would drag every other dependency back.
Its lock is written by::

    echo checkov==3.3.30 | uv pip compile --universal --python-version 3.11 --generate-hashes \\
        --no-emit-index-url --no-header - --output-file scripts/toolchain/checkov-requirements.txt

What is given is the Python of the tool's environment, not its command: a
command of checkov's takes many seconds only to import what is not needed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scripts.errors import ToolchainError
from scripts.progress import Reporter, Silent
from scripts.toolchain import python_environment
from scripts.toolchain.cache import Cache, platform_key
from scripts.toolchain.locking import turns
from scripts.toolchain.versions import find_version, is_acceptable

_ASK_TIMEOUT_SECONDS = 30
_MAX_FIRST_LINE_BYTES = 4096
_ASK_VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class PythonRecipe:
    """One tool: its lock, which copy on PATH will do, and how long an installation takes on 2 cores."""

    name: str
    requirements: Path
    acceptable: str
    expected_seconds: int

    @property
    def version(self) -> str:
        """The version that the lock pins; ToolchainError when it pins none."""
        pin = re.compile(rf"^{re.escape(self.name)}==([0-9.]+)", re.MULTILINE)
        found = pin.search(self.requirements.read_text(encoding="utf-8"))
        if found is None:
            raise ToolchainError(f"{self.requirements} does not pin {self.name}", next_step="write the lock anew")
        return found.group(1)

    @property
    def digest(self) -> str:
        """What decides the environment: every pin and hash of the lock."""
        return hashlib.sha256(self.requirements.read_bytes()).hexdigest()[:12]


CHECKOV = PythonRecipe(
    name="checkov",
    requirements=Path(__file__).parent / "checkov-requirements.txt",
    # Its checks are run without its command, which only versions alike allow.
    acceptable=">=3.3,<3.4",
    expected_seconds=60,
)
PYTHON_TOOLS: Mapping[str, PythonRecipe] = {CHECKOV.name: CHECKOV}


@dataclass(frozen=True, slots=True)
class PythonTool:
    """A usable tool; ``python`` is the interpreter of the environment that holds it."""

    name: str
    version: str
    python: Path
    source: Literal["path", "cache", "installed"]


@dataclass(frozen=True, slots=True)
class PythonTools:
    """Python tools, resolved with the variables of ``environ``; ``reporter`` hears of installations."""

    recipes: Mapping[str, PythonRecipe] = field(default_factory=lambda: PYTHON_TOOLS)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    reporter: Reporter = field(default_factory=Silent)

    @property
    def cache(self) -> Cache:
        """The cache that ``environ`` chooses."""
        return Cache.of_user(self.environ)

    def locate(self, name: str) -> PythonTool | None:
        """The tool if it can be used at once; ToolchainError only when there is no such tool."""
        recipe = self._recipe(name)
        return self._on_path(recipe) or self._in_cache(recipe)

    def resolve(self, name: str) -> PythonTool:
        """The tool, installed if need be; ToolchainError when it cannot be."""
        return self.locate(name) or self._install(self._recipe(name))

    def folder(self, recipe: PythonRecipe) -> Path:
        """Where the environment of exactly this lock lies for exactly this Python, installed or not."""
        python = f"py{sys.version_info.major}.{sys.version_info.minor}"
        key = f"{recipe.version}-{recipe.digest}-{platform_key()}-{python}"
        return self.cache.root / "python" / recipe.name / key

    def _recipe(self, name: str) -> PythonRecipe:
        if name not in self.recipes:
            known = ", ".join(sorted(self.recipes))
            raise ToolchainError(f"there is no Python tool called {name!r}", next_step=f"choose one of: {known}")
        return self.recipes[name]

    def _on_path(self, recipe: PythonRecipe) -> PythonTool | None:
        command = shutil.which(recipe.name, path=self.environ.get("PATH", os.defpath))
        python = _interpreter_of(Path(command)) if command else None
        version = _version_in(python, recipe.name) if python else None
        if python is None or version is None or not is_acceptable(version, recipe.acceptable):
            return None
        return PythonTool(recipe.name, version, python, "path")

    def _in_cache(self, recipe: PythonRecipe) -> PythonTool | None:
        python = self.folder(recipe) / "bin" / "python"
        # A link into a Python that has been removed is no interpreter any more.
        return PythonTool(recipe.name, recipe.version, python, "cache") if python.is_file() else None

    def _install(self, recipe: PythonRecipe) -> PythonTool:
        cache = self.cache
        waiting = f"waiting to install {recipe.name}: another process is installing"
        with turns(cache.install_lock_file, waiting, self.reporter):
            installed_meanwhile = self._in_cache(recipe)
            if installed_meanwhile is not None:
                return installed_meanwhile
            shutil.rmtree(cache.installing_folder, ignore_errors=True)
            shutil.rmtree(self.folder(recipe), ignore_errors=True)
            title = f"installing {recipe.name} {recipe.version} from PyPI"
            with self.reporter.step(title, expected_seconds=recipe.expected_seconds):
                self._install_into(recipe, cache)
        return PythonTool(recipe.name, recipe.version, self.folder(recipe) / "bin" / "python", "installed")

    def _install_into(self, recipe: PythonRecipe, cache: Cache) -> None:
        python_environment.install(
            recipe.name,
            recipe.requirements,
            self.folder(recipe),
            self.environ,
            staging=cache.installing_folder,
            next_step=f"let pip reach a package index and try again, or put {recipe.name} {recipe.acceptable} on PATH",
            compiles=True,
        )


def _interpreter_of(command: Path) -> Path | None:
    """The Python that runs the script ``command``, from its first line; None when it says none."""
    try:
        with command.open("rb") as script:
            first = script.readline(_MAX_FIRST_LINE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    words = first[2:].split() if first.startswith("#!") else []
    python = Path(words[0]) if words else None
    is_usable = python is not None and python.is_absolute() and python.name.startswith("python") and python.is_file()
    return python if is_usable else None


def _version_in(python: Path, distribution: str) -> str | None:
    """The version of ``distribution`` beside ``python``; asking a command of checkov's would take many seconds."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _ASK_VERSION, distribution],
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return find_version(answer.stdout) if answer.returncode == 0 else None
