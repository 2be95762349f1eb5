"""What ADX writes to Git: a branch that reverts a failed commit. Bare repositories only, no working tree.

Only ``environments/`` and ``tenants/`` are reverted: what else the commit
changed is not ADX's to undo.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from policies.git_process import hardened_environment
from workflows.errors import AdxTimeoutError, AdxValidationError

FOLDERS = ("environments", "tenants")
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Revert:
    """Undo what came between ``good`` and ``bad`` (commit ids) on a new ``branch``."""

    bad: str
    good: str
    branch: str
    message: str


async def push_revert(repository: Path, revert: Revert) -> str:
    """Make the reverting commit on top of ``bad`` and push it as ``revert.branch``; returns its id.

    The same revert is always the same commit, so pushing again changes nothing.
    Raises AdxValidationError when git refuses, AdxTimeoutError when it does not answer.
    """
    tree = await _reverted_tree(repository, revert)
    date = await _git(repository, "show", "-s", "--format=%ct +0000", revert.bad)
    commit = await _git(repository, "commit-tree", tree, "-p", revert.bad, "-m", revert.message, dates=date)
    await _git(repository, "push", "--quiet", "origin", f"{commit}:refs/heads/{revert.branch}")
    return commit


async def _reverted_tree(repository: Path, revert: Revert) -> str:
    """The tree of ``bad`` with the folders of declarations as they were in ``good``."""
    entries = await _entries(repository, revert.bad)
    before = await _entries(repository, revert.good)
    for folder in FOLDERS:
        entries.pop(folder, None)
        if folder in before:
            entries[folder] = before[folder]
    listing = "".join(f"{entry}\0" for entry in entries.values())
    return await _git(repository, "mktree", "-z", stdin=listing)


async def _entries(repository: Path, commit: str) -> dict[str, str]:
    listing = await _git(repository, "ls-tree", "-z", "--full-tree", commit)
    return {entry.partition("\t")[2]: entry for entry in listing.split("\0") if entry}


async def _git(repository: Path, *arguments: str, stdin: str = "", dates: str = "") -> str:
    environment = {**os.environ, **hardened_environment(), **_identity(dates)}
    process = await asyncio.create_subprocess_exec(
        "git",
        "-C",
        str(repository),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AdxTimeoutError(f"git {arguments[0]} gave no answer within {TIMEOUT_SECONDS:.0f} s") from None
    if process.returncode != 0:
        raise AdxValidationError(f"git {arguments[0]} failed: {errors.decode(errors='replace').strip()}")
    return output.decode().strip()


def _identity(dates: str) -> dict[str, str]:
    who = {"NAME": "ADX", "EMAIL": "adx@localhost"}
    own = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    return own | ({"GIT_AUTHOR_DATE": dates, "GIT_COMMITTER_DATE": dates} if dates else {})
