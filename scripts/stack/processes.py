"""Processes that outlive whoever started them, recognised by pid and start time, ended with their offspring.

Every process started here carries ``ADX_STACK_HOME`` in its environment, which
its children inherit: leftovers of a home can be found even if their parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

HOME_VARIABLE = "ADX_STACK_HOME"
# A start time is derived from the boot time, which may be corrected by a clock service.
_START_TOLERANCE_SECONDS = 2.0
_KILL_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02
# Our own children that were started by this very process; asked now and then, so that none stays a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


def start(argv: tuple[str, ...], *, environment: Mapping[str, str], folder: Path, log_file: Path) -> tuple[int, float]:
    """Start ``argv`` in a session of its own, output appended to ``log_file``; returns pid and start time."""
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[child.pid] = child
    return child.pid, psutil.Process(child.pid).create_time()


def find(pid: int, started_at: float) -> psutil.Process | None:
    """The living process with this pid, if it is the one that was started then."""
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started_at) <= _START_TOLERANCE_SECONDS
        return process if is_same and is_alive(process) else None
    except psutil.NoSuchProcess:
        return None


def offspring(pid: int, started_at: float, home: Path) -> list[psutil.Process]:
    """The process itself if it lives, its descendants, and what is left of its group when it does not."""
    found = find(pid, started_at)
    family = {found, *_descendants(found)} if found else set()
    family.update(process for process in of_home(home) if _group(process) == pid)
    return list(family)


def of_home(home: Path) -> list[psutil.Process]:
    """Every living process that a stack with this home started, directly or through its children."""
    return [process for process in psutil.process_iter() if _home_of(process) == str(home)]


def end(process: psutil.Process, how: signal.Signals, grace_seconds: float, family: Iterable[psutil.Process]) -> None:
    """Ask ``process`` to end, wait, then kill what is left of ``family`` and wait for that too."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
        wait_until_gone([process], timeout_seconds=grace_seconds)
    kill([process, *family])


def kill(family: Iterable[psutil.Process]) -> None:
    """Kill the processes and wait until they are gone."""
    living = [process for process in family if is_alive(process)]
    for process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_gone(living, timeout_seconds=_KILL_WAIT_SECONDS)


def wait_until_gone(family: Iterable[psutil.Process], *, timeout_seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended; returns those that have not.

    A zombie has ended: in a container nobody may ever collect it, so waiting for its pid to vanish could take forever.
    """
    give_up_at = time.monotonic() + timeout_seconds
    while (living := [process for process in family if is_alive(process)]) and time.monotonic() < give_up_at:
        time.sleep(_POLL_SECONDS)
    return living


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs, and is neither a zombie nor another one with the same pid."""
    _collect(process.pid)
    try:
        return process.is_running() and not _is_zombie(process)
    except psutil.NoSuchProcess:
        return False


def _is_zombie(process: psutil.Process) -> bool:
    """A zombie with threads left is still on its way out and holds its ports."""
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def _collect(pid: int) -> None:
    """Collect a child of ours that has ended, so that it does not stay a zombie."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        _children.pop(pid, None)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(HOME_VARIABLE) if is_alive(process) else None
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None
