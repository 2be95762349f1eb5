"""Becomes the command it is given, after asking the kernel to interrupt it when the worker dies.

Run as ``python -I -S launcher.py WORKER_PROCESS_ID COMMAND…``; imports nothing
that is slow. Without this a killed worker would leave a Pulumi process that
goes on applying under a fencing token that is no longer valid.

The kernel's promise (Linux only) is about the thread that started the process:
the engine must be used from a thread that lives as long as the worker, as an
event loop's thread does. Elsewhere the end of the program host (see there) ends
the operation, a little later.
"""

from __future__ import annotations

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


def watch_over_session() -> None:
    """Fork a process that ends what this one leaves in its session, should it die before it could do that itself.

    A pulumi that is killed does not end its plugins; they would stay.
    """
    watched = os.getpid()
    if os.fork():
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    while os.getppid() == watched:
        time.sleep(WATCH_INTERVAL_SECONDS)
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208 - pathlib is slow to import
        if name.isdigit() and int(name) != os.getpid():
            try:
                if os.getsid(int(name)) == watched:
                    os.kill(int(name), signal.SIGKILL)
            except ProcessLookupError:
                pass
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Replace this process by the command; never returns."""
    worker, command = int(arguments[0]), arguments[1:]
    watch_over_session()
    interrupt_when_parent_dies()
    if os.getppid() != worker:  # it died before the promise was made
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
