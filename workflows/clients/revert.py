"""A branch that reverts a failed commit, made from git objects and pushed.

Only ``environments/`` and ``tenants/`` are reverted: what else the commit
changed is not ADX's to undo.
"""

from __future__ import annotations

from dataclasses import dataclass

from workflows.clients.git import Mirror

FOLDERS = ("environments", "tenants")


@dataclass(frozen=True)
class Revert:
    """Undo what came between ``good`` and ``bad`` (commit ids) on a new ``branch``."""

    bad: str
    good: str
    branch: str
    message: str


async def push_revert(mirror: Mirror, revert: Revert) -> str:
    """Make the reverting commit on top of ``bad`` and push it as ``revert.branch``; returns its id.

    The same revert is always the same commit, so pushing again changes
    nothing. Raises GitFailed when git refuses, AdxTimeoutError.
    """
    tree = await _reverted_tree(mirror, revert)
    date = await mirror.run("show", "-s", "--format=%ct +0000", "--end-of-options", revert.bad)
    commit = await mirror.run(
        "commit-tree", tree, "-p", revert.bad, "-m", revert.message, more_environment=_identity(date)
    )
    await mirror.run("push", "--quiet", "origin", f"{commit}:refs/heads/{revert.branch}")
    return commit


async def _reverted_tree(mirror: Mirror, revert: Revert) -> str:
    """The tree of ``bad`` with the folders of declarations as they were in ``good``."""
    entries, before = await _entries(mirror, revert.bad), await _entries(mirror, revert.good)
    for folder in FOLDERS:
        entries.pop(folder, None)
        if folder in before:
            entries[folder] = before[folder]
    return await mirror.run("mktree", "-z", stdin="".join(f"{entry}\0" for entry in entries.values()))


async def _entries(mirror: Mirror, commit: str) -> dict[str, str]:
    listing = await mirror.run("ls-tree", "-z", "--full-tree", commit)
    return {entry.partition("\t")[2]: entry for entry in listing.split("\0") if entry}


def _identity(date: str) -> dict[str, str]:
    """Author and committer are ADX, at the time of the commit that is reverted: the same revert, the same id."""
    values = {"NAME": "ADX", "EMAIL": "adx@localhost", "DATE": date}
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in values.items()}
