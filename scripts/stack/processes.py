"""Processes that outlive whoever started them, recognised by pid and start time, ended with their offspring.

Every process started here carries ``ADX_STACK_HOME`` in its environment, which
its children inherit: leftovers of a home can be found even if their parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

HOME_VARIABLE = "ADX_STACK_HOME"
# A start time is derived from the boot time, which may be corrected by a clock service.
_START_TOLERANCE_SECONDS = 2.0
_KILL_WAIT_SECONDS = 10.0
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
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started_at) <= _START_TOLERANCE_SECONDS
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
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
        psutil.wait_procs([process], timeout=grace_seconds)
    kill([process, *family])


def kill(family: Iterable[psutil.Process]) -> None:
    """Kill the processes and wait until they are gone."""
    living = [process for process in family if process.is_running()]
    for process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(living, timeout=_KILL_WAIT_SECONDS)
    for pid in [process.pid for process in living if process.pid in _children]:
        _children.pop(pid).wait()


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
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(HOME_VARIABLE)
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None
