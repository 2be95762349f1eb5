"""Writes a new repository into an empty folder, and never over anything that is there."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipelines.adoption.errors import InitRefused

SHOWN = 3


def create(folder: Path, files: Mapping[str, str]) -> bool:
    """Write ``files`` into ``folder``, and make it a git repository with the branch ``main`` where it is in none.

    Returns whether it is in a git repository afterwards: without git it is not. Nothing is committed. Raises
    InitRefused when the folder holds anything but ``.git``.
    """
    refuse_unless_empty(folder)
    _write(folder, files)
    return _is_in_git(folder) or _git(folder, "init", "--quiet", "--initial-branch=main")


def refuse_unless_empty(folder: Path) -> None:
    """Raise InitRefused for a folder that holds something, or for what is no folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InitRefused(f"{folder} is no folder", next_step="name a folder that is empty or not there yet")
    there = sorted(path.name for path in folder.iterdir() if path.name != ".git")
    if there:
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise InitRefused(
            f"{folder} is not empty: it holds {', '.join(there[:SHOWN])}{more}",
            next_step="name a folder that is empty or not there yet, and copy into it what you want to keep;"
            " declarations of what runs already are proposed by `adx import`",
        )


def renew(folder: Path, files: Mapping[str, str]) -> None:
    """Write ``files`` over what they were; raises InitRefused where there is no repository to renew."""
    if not (folder / "environments").is_dir():
        raise InitRefused(f"{folder} has no environments/", next_step="name a repository, or leave --schemas out")
    _write(folder, files)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
    except OSError as error:
        raise InitRefused(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            next_step="name a folder that you may write to",
        ) from error


def _is_in_git(folder: Path) -> bool:
    return any((candidate / ".git").exists() for candidate in (folder, *folder.parents))


def _git(folder: Path, *arguments: str) -> bool:
    """Whether git ran and succeeded."""
    try:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
