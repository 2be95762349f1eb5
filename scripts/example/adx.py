"""Runs `adx` for what is shown in docs/: in a home and with settings of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from scripts.example.repository import ROOT, ExampleFailed, Repository

WIDTH = 80
console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Adx:
    """Runs `adx` in the clone of ``repository``, in a home of the example's own."""

    home: Path
    repository: Repository

    def run(self, *arguments: str, given: str | None = None, accepted: Collection[int] = (0,)) -> str:
        """What it prints; progress goes to this terminal. ``given`` is its standard input.

        Raises ExampleFailed unless it ends with one of the ``accepted`` statuses.
        """
        console.print(f"[bold]adx {' '.join(arguments)}[/bold]")
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=self.repository.work,
            env=self._environ(),
            stdout=subprocess.PIPE,
            input=given,
            text=True,
            check=False,
        )
        if done.returncode not in accepted:
            console.print(done.stdout, markup=False)
            raise ExampleFailed(
                f"adx {' '.join(arguments)} ended with {done.returncode}",
                next_step="what it said stands above; nothing was written",
            )
        return done.stdout

    def settings(self) -> dict[str, str]:
        """The settings of the running stack, secrets among them."""
        found: dict[str, str] = json.loads((self.home / "env.json").read_text("utf-8"))
        return found

    def _environ(self) -> Mapping[str, str]:
        """Nothing that the terminal is set up for but the cache of external programs."""
        ours = ("ADX_", "PULUMI_", "GIT_", "GITHUB_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        kept = {name: os.environ[name] for name in ("ADX_CACHE_DIR",) if name in os.environ}
        own = {
            "ADX_HOME": str(self.home),
            "ADX_REPO": str(self.repository.remote),
            "ADX_POLL_SECONDS": "0",
            "COLUMNS": str(WIDTH),
            "PYTHONPATH": str(ROOT),
        }
        return {**inherited, **kept, **own}
