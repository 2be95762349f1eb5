"""Becomes the command it is given, after asking the kernel to interrupt it when the worker dies.

Run as ``python -I -S launcher.py WORKER_PROCESS_ID GRACE_SECONDS COMMAND…``;
imports nothing that is slow. Without this a killed worker would leave a Pulumi
process that goes on applying under a fencing token that is no longer valid.

The kernel's promise (Linux only) is about the thread that started the process:
the engine must be used from a thread that lives as long as the worker, as an
event loop's thread does. Elsewhere a process that looks on interrupts the
command, a little later; on both it kills what has not ended after its grace.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
WATCH_INTERVAL_SECONDS = 1.0


def interrupt_when_parent_dies() -> None:
    """Have SIGINT sent to this process when its parent dies; pulumi then begins nothing more."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only where it is needed

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def watch_over_session(worker: int, grace_seconds: float) -> None:
    """Fork a process that ends what this one leaves in its session, should it die before it could do that itself.

    A pulumi that is killed does not end its plugins; they would stay. One whose worker has died is interrupted, and
    killed after ``grace_seconds``: whoever takes over waits for its lock.
    """
    watched = os.getpid()
    if os.fork():
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    interrupted_at = None
    while os.getppid() == watched:
        time.sleep(WATCH_INTERVAL_SECONDS)
        if interrupted_at is None and not is_parent(worker, watched):
            interrupted_at = time.monotonic()
            if sys.platform != "linux":  # there the kernel has done it, and a second one would be taken for impatience
                send(watched, signal.SIGINT)
        if interrupted_at is not None and time.monotonic() - interrupted_at > grace_seconds:
            send(watched, signal.SIGKILL)
    end_session(watched)
    os._exit(0)


def is_parent(worker: int, process: int) -> bool:
    """Whether ``worker`` lives: in Linux whether ``process`` is still its child, since numbers are given again."""
    try:
        if sys.platform != "linux":
            os.kill(worker, 0)
            return True
        with open(f"/proc/{process}/stat", "rb") as status:  # noqa: PTH123 - pathlib is slow to import
            return int(status.read().rpartition(b")")[2].split()[1]) == worker
    except OSError:
        return False


def send(process: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def end_session(watched: int) -> None:
    """Kill all that is left of the session of ``watched`` but this process."""
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208 - pathlib is slow to import
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(int(name)) == watched:
                    os.kill(int(name), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Replace this process by the command; never returns."""
    worker, grace_seconds, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    watch_over_session(worker, grace_seconds)
    interrupt_when_parent_dies()
    if os.getppid() != worker:  # it died before the promise was made
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
