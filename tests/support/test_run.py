"""One run of the tests: its folder, the servers in it, and the processes that must be gone when it ends.

Every process that is started during a run inherits ``ADX_TEST_RUN``, the run's
folder, so that whatever is left can be named, whoever started it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import psutil

from scripts.stack import Stack, processes
from scripts.stack.files import write_private

VARIABLE = "ADX_TEST_RUN"
_PREFIX = "adx-test-run-"
_OWNER = "owner.json"
# What a test interrupted or killed in its last moment may still be ending.
_SETTLE_SECONDS = 10.0


def begin() -> Path:
    """A new folder, marked with the process that owns it; processes started from now on carry its path."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    owner = psutil.Process()
    # In one step: a run that begins at the same time reads it, and would not understand half of it.
    write_private(folder / _OWNER, json.dumps({"pid": owner.pid, "started_at": owner.create_time()}))
    os.environ[VARIABLE] = str(folder)
    return folder


def end(folder: Path) -> list[str]:
    """End the servers of the run and delete its folder; returns what had to be killed because nobody ended it."""
    for record in folder.glob("*/stack.json"):
        Stack(record.parent).down()
    left = processes.wait_until_gone(processes_of(folder), timeout_seconds=_SETTLE_SECONDS)
    described = [_described(process) for process in left]
    processes.kill(left)
    shutil.rmtree(folder, ignore_errors=True)
    os.environ.pop(VARIABLE, None)
    return described


def end_abandoned_runs() -> None:
    """End what runs that were killed have left behind. Runs whose owner lives, or of other users, are left alone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_abandoned(folder):
            end(folder)


def _is_abandoned(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid() and not _is_owner_alive(folder)
    except FileNotFoundError:  # its own run ends it right now, or has not written its owner yet
        return False


def _is_owner_alive(folder: Path) -> bool:
    owner = json.loads((folder / _OWNER).read_text())
    try:
        return abs(psutil.Process(owner["pid"]).create_time() - owner["started_at"]) < 2
    except psutil.NoSuchProcess:
        return False


def processes_of(folder: Path) -> list[psutil.Process]:
    """Living processes of the run: what tests started, and the parts of its stacks."""
    return [
        process for process in psutil.process_iter() if _belongs_to(process, folder) and processes.is_alive(process)
    ]


def _belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        environ = process.environ()
    except (psutil.Error, OSError):
        return False
    home = environ.get(processes.HOME_VARIABLE)
    return environ.get(VARIABLE) == str(folder) or (home is not None and Path(home).is_relative_to(folder))


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return str(process.pid)
