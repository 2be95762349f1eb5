"""Runs the real `adx` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ADX = (sys.executable, "-m", "pipelines.cli")
SOURCE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A small environment: nothing of the developer's own settings reaches the command."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(SOURCE), "ADX_HOME": str(home), **variables}


def adx(*arguments: str, environ: Mapping[str, str], folder: Path) -> Ran:
    """Run `adx` in ``folder``."""
    done = subprocess.run(
        [*ADX, *arguments], env=dict(environ), cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)
