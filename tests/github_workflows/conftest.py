"""A pull request on the sample declarations, in a repository of its own, and what a job on it sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from policies.tree import FOLDERS
from tests.github_workflows.runner import ROOT, Event

SCRIPTS = sysconfig.get_path("scripts")
# A name that git takes, and that hurts wherever a shell reads it as more than a name.
HOSTILE_BRANCH = "a'b\"c`touch${IFS}pwned`$(touch${IFS}pwned);touch${IFS}pwned"
HOSTILE_TITLE = '"; touch pwned; $(touch pwned) `touch pwned` ${{ github.token }} \n::error::forged'


@dataclass(frozen=True)
class PullRequest:
    """``folder`` is a checkout of the branch; ``base`` and ``head`` are commits."""

    folder: Path
    base: str
    head: str

    def edit(self, file: str, before: str, after: str) -> PullRequest:
        """The pull request with one more commit, in which ``before`` became ``after`` in ``file``."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")
        return PullRequest(self.folder, self.base, commit(self.folder))

    def event(self, *, is_fork: bool = False) -> Event:
        """The event that GitHub would send."""
        owner = "mallory" if is_fork else "boutique"
        payload = {
            "action": "synchronize",
            "pull_request": {
                "number": 7,
                "title": HOSTILE_TITLE,
                "base": {"sha": self.base, "ref": "main"},
                "head": {"sha": self.head, "ref": HOSTILE_BRANCH, "repo": {"full_name": f"{owner}/platform"}},
            },
        }
        return Event("pull_request", payload, self.head, "refs/pull/7/merge")

    def queued(self) -> Event:
        """The event of a merge queue."""
        return Event("merge_group", {"merge_group": {"base_sha": self.base, "head_sha": self.head}}, self.head)

    @property
    def is_unharmed(self) -> bool:
        """Whether no text from outside was run, in the checkout or beside it."""
        return not [*self.folder.parent.rglob("pwned")]


def git(folder: Path, *arguments: str) -> str:
    """Run git; its answer without the line end."""
    done = subprocess.run(
        ["git", "-c", "user.name=Ana", "-c", "user.email=ana@boutique.example", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """Commit everything; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """All that a job sees beside what GitHub sets: the real `adx`, an empty home, a token that fits nothing."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.pathsep.join([SCRIPTS, os.environ["PATH"]]),
        "HOME": str(home),
        "GITHUB_TOKEN": "canary-6f1d0b",
        "GITHUB_API_URL": "http://127.0.0.1:9",  # discard: nothing that a test does may leave this machine
    }


@pytest.fixture
def pull_request(tmp_path: Path) -> PullRequest:
    """A branch with a hostile name on the sample declarations; it changes nothing yet."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("Pulumi.*"))
    base = commit(folder)
    git(folder, "checkout", "--quiet", "-b", HOSTILE_BRANCH)
    return PullRequest(folder, base, base)
