"""``python -m scripts.example``: writes docs/pull-request-comment.md, a real comment on a real pull request.

Starts a local stack in a temporary home, delivers this repository's sample of
one environment to it, proposes a change, previews it, and ends the stack.
Nothing is written when any of it fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from scripts.errors import ScriptError
from scripts.example.page import MARKDOWN, PREVIEW, TARGET, page
from scripts.example.proposal import ENVIRONMENT, declare_waves, propose, take_time
from scripts.example.repository import ROOT, ExampleFailed, Repository

WIDTH = 80
console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Adx:
    """Runs `adx` in the clone of ``repository``, in a home of the example's own."""

    home: Path
    repository: Repository

    def run(self, *arguments: str) -> str:
        """What it prints; progress goes to this terminal. Raises ExampleFailed unless it ends with 0."""
        console.print(f"[bold]adx {' '.join(arguments)}[/bold]")
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=self.repository.work,
            env=self._environ(),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            console.print(done.stdout, markup=False)
            raise ExampleFailed(
                f"adx {' '.join(arguments)} ended with {done.returncode}",
                next_step="what it said stands above; the page was left as it was",
            )
        return done.stdout

    def _environ(self) -> Mapping[str, str]:
        """Nothing that the terminal is set up for but the cache of external programs."""
        ours = ("ADX_", "PULUMI_", "GIT_", "GITHUB_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        kept = {name: os.environ[name] for name in ("ADX_CACHE_DIR",) if name in os.environ}
        own = {
            "ADX_HOME": str(self.home),
            "ADX_REPO": str(self.repository.remote),
            "COLUMNS": str(WIDTH),
            "PYTHONPATH": str(ROOT),
        }
        return {**inherited, **kept, **own}


def main() -> int:
    """Write the page; 1 with a message when it could not be made."""
    try:
        with tempfile.TemporaryDirectory(prefix="adx-example-") as folder:
            text = _made(Path(folder))
    except ScriptError as error:
        console.print(f"{error}; {error.next_step}", markup=False, style="red")
        return 1
    TARGET.write_text(text, "utf-8")
    console.print(f"written: {TARGET.relative_to(ROOT)}")
    return 0


def _made(folder: Path) -> str:
    """The page, made in ``folder``; what was started there has ended. Raises ExampleFailed."""
    repository = Repository(folder / "repository")
    repository.create()
    declare_waves(repository)
    adx = Adx(folder / "home", repository)
    try:
        adx.run("up")
        adx.run("deploy", ENVIRONMENT, "--watch")
        take_time(repository)
        propose(repository)
        return page(adx.run(*MARKDOWN), adx.run(*PREVIEW))
    finally:
        adx.run("down")


if __name__ == "__main__":
    sys.exit(main())
