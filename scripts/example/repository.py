"""The example's repository: this repository's declarations in a bare remote, and a branch that proposes a change.

Dates and identities are fixed and nobody's own git configuration counts, so
that the same declarations get the same commit ids on every machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from policies.tree import FOLDERS
from scripts.errors import ScriptError

ROOT = Path(__file__).resolve().parents[2]
DECLARED = (*FOLDERS, "policies/policies.yaml")
FIXED = {
    "GIT_AUTHOR_NAME": "Ines Keller",
    "GIT_AUTHOR_EMAIL": "ines.keller@boutique.example",
    "GIT_AUTHOR_DATE": "2026-03-02T09:00:00+0000",
    "GIT_COMMITTER_NAME": "Ines Keller",
    "GIT_COMMITTER_EMAIL": "ines.keller@boutique.example",
    "GIT_COMMITTER_DATE": "2026-03-02T09:00:00+0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class ExampleFailed(ScriptError):
    """A part of the example could not be made; what it was made of is gone by then."""


class Repository:
    """``remote`` is the bare repository that is delivered, ``work`` a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.remote, self.work = folder / "remote.git", folder / "work"

    def create(self) -> None:
        """Make both, with this repository's declarations as the first commit of ``main``. Raises ExampleFailed."""
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.remote))
        for name in DECLARED:
            if (ROOT / name).exists():
                _copy(ROOT / name, self.work / name)
        self.push("Declare the shop", "main")

    def commit(self, message: str) -> None:
        """Commit everything, here alone. Raises ExampleFailed."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def push(self, message: str, branch: str) -> None:
        """Commit everything and push it to ``branch``. Raises ExampleFailed."""
        self.commit(message)
        self.git("push", "--quiet", "origin", f"HEAD:{branch}")

    def edit(self, file: str, pattern: str, replacement: str) -> None:
        """Replace the one place in ``file`` that looks like ``pattern``. Raises ExampleFailed if there is none."""
        path = self.work / file
        text, count = re.subn(pattern, replacement, path.read_text("utf-8"), count=1, flags=re.MULTILINE)
        if not count:
            raise ExampleFailed(
                f"{file} has nothing that looks like {pattern}",
                next_step="the sample declarations have changed: correct scripts/example/proposal.py",
            )
        path.write_text(text, "utf-8")

    def git(self, *arguments: str) -> str:
        """Run git in ``work``; its output. Raises ExampleFailed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *arguments], cwd=self.work, env={**inherited, **FIXED}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ExampleFailed(f"git {' '.join(arguments)} failed: {done.stderr.strip()}", next_step="see above")
        return done.stdout.strip()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy(source, target)
    else:
        # What Pulumi notes in a checkout is of this machine, and ignored by git there.
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("Pulumi.*"))
