"""A Python environment of its own for one package: made in a temporary folder, hashes checked, then renamed.

For what must not share the environment that runs ADX. The files to install are
named by a requirements file with hashes; where they come from is pip's own
configuration.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.errors import ToolchainError
from scripts.toolchain.cache import move_into_place

_PIP_OPTIONS = ("--quiet", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check", "--no-input")
_ERROR_LINES = 10


def install(
    title: str,
    requirements: Path,
    target: Path,
    environ: Mapping[str, str],
    *,
    staging: Path,
    next_step: str,
    compiles: bool = False,
) -> None:
    """Make the environment ``target`` with exactly ``requirements``; unfinished work lies below ``staging``.

    ``compiles`` also compiles all modules, which a tool that is started often
    gets back. Raises ToolchainError, which names ``title``, when pip refuses.
    """
    staging.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{target.parent.name}-", dir=staging))
    options = [*_PIP_OPTIONS, "--compile" if compiles else "--no-compile"]
    try:
        _run([sys.executable, "-m", "venv", *_venv_options(), folder], environ, title, next_step)
        _run([*_pip(folder), "install", *options, "-r", requirements], environ, title, next_step)
        move_into_place(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_own_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _venv_options() -> list[str]:
    """The pip that runs beside us can serve the new environment too; making another one takes most of the time."""
    return ["--without-pip"] if _has_own_pip() else []


def _pip(folder: Path) -> list[str | Path]:
    python = folder / "bin" / "python"
    return [sys.executable, "-m", "pip", "--python", python] if _has_own_pip() else [python, "-m", "pip"]


def _run(command: list[str | Path], environ: Mapping[str, str], title: str, next_step: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environ))
    if done.returncode != 0:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-_ERROR_LINES:])
        raise ToolchainError(f"{title} could not be installed from PyPI:\n{end}", next_step=next_step)
