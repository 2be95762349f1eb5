"""Writes a new repository into an empty folder, and never over anything that is there."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.adoption.errors import InitRefused
from policies.errors import AdxError
from policies.git_process import run

SHOWN = 3
_LINKS = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO})  # what opening says of a link, or of what is no file


@dataclass(frozen=True)
class Created:
    """Whether the folder is a git repository of its own, and the one around it, if any."""

    is_repository: bool
    within: Path | None


def create(folder: Path, files: Mapping[str, str]) -> Created:
    """Write ``files`` into ``folder``, and make it a git repository of its own, with the branch ``main``.

    Below another repository too: ADX reads a repository from its root. Without git it is none. Nothing is committed.
    Raises InitRefused when the folder holds anything but ``.git``.
    """
    refuse_unless_empty(folder)
    _write(folder, files)
    within = next((parent for parent in folder.parents if (parent / ".git").exists()), None)
    return Created((folder / ".git").exists() or _git_init(folder), within)


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
    """Write ``files`` over what they were; raises InitRefused where there is no repository to renew.

    A link among them is refused before anything is written: whoever wrote the repository chose where it leads.
    """
    if not (folder / "environments").is_dir():
        raise InitRefused(f"{folder} has no environments/", next_step="name a repository, or leave --schemas out")
    for path in files:
        for part in (PurePosixPath(path), *PurePosixPath(path).parents[:-1]):
            if (folder / part).is_symlink():
                raise _link(folder / part)
    _write(folder, files)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for path, text in files.items():
                _write_file(folder, root, path, text)
        finally:
            os.close(root)
    except OSError as error:
        raise InitRefused(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            next_step="name a folder that you may write to",
        ) from error


def _write_file(folder: Path, root: int, path: str, text: str) -> None:
    """Write below the folder that ``root`` has open, through no link, even one that appears meanwhile."""
    *folders, name = path.split("/")
    parent = os.dup(root)
    try:
        for child in folders:
            parent = _entered(parent, child)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o666, dir_fd=parent)
    except OSError as error:
        if error.errno in _LINKS:
            raise _link(folder / path) from error
        raise OSError(error.errno, error.strerror, str(folder / path)) from error
    finally:
        os.close(parent)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _link(folder / path)
        file.truncate()
        file.write(text)


def _entered(parent: int, name: str) -> int:
    """The folder ``name`` in ``parent``, made where it is not there; ``parent`` is closed if it could be opened."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    os.close(parent)
    return child


def _link(path: Path) -> InitRefused:
    return InitRefused(
        f"{path} is a link, or lies below one, or is no file",
        next_step="see where it leads, remove it, and run the command again",
    )


def _git_init(folder: Path) -> bool:
    """Whether git ran and succeeded."""
    try:
        run(folder, "init", "--quiet", "--initial-branch=main")
    except AdxError:
        return False
    return True
