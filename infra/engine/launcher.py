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

PR_SET_PDEATHSIG = 1


def interrupt_when_parent_dies() -> None:
    """Have SIGINT sent to this process when its parent dies; pulumi then stops in good order."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only where it is needed

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Replace this process by the command; never returns."""
    worker, command = int(arguments[0]), arguments[1:]
    interrupt_when_parent_dies()
    if os.getppid() != worker:  # it died before the promise was made
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
