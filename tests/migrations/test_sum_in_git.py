"""Two branches that add a script with the same number cannot be merged without somebody looking."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.migrations.scripts import folder

BASE = {"0001_a.up.sql": "CREATE TABLE a (id int)", "0001_a.down.sql": "DROP TABLE a"}


def git(repository: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Git without anybody's configuration."""
    names = {f"GIT_{role}_{what}": "test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **names}
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check, env=environ)


def commit(repository: Path, scripts: dict[str, str]) -> None:
    """The folder with these scripts and their sum."""
    for name, data in folder("postgresql", scripts).items():
        (repository / name).write_bytes(data)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "test")


@pytest.mark.parametrize("number", ["0002", "0003"])
def test_scripts_added_on_two_branches_conflict(tmp_path: Path, number: str) -> None:
    """The same number under another name, and a number that somebody else would take next."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, BASE)
    git(tmp_path, "switch", "--quiet", "-c", "other")
    commit(tmp_path, {**BASE, f"{number}_theirs.up.sql": "SELECT 1", f"{number}_theirs.down.sql": "SELECT 1"})
    git(tmp_path, "switch", "--quiet", "main")
    commit(tmp_path, {**BASE, "0002_ours.up.sql": "SELECT 2", "0002_ours.down.sql": "SELECT 2"})

    merged = git(tmp_path, "merge", "other", check=False)

    assert merged.returncode == 1
    assert "adx.sum" in merged.stdout
