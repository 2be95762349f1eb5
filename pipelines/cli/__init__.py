"""The `adx` command. One module per group of commands; ``main`` is the entry point."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `adx` with the process's arguments and end the process with its exit status."""
    from pipelines.cli.app import build

    try:
        build()(prog_name="adx")
    except SystemExit as ended:
        if "temporalio" in sys.modules and (ended.code is None or isinstance(ended.code, int)):
            _end_at_once(ended.code or 0)
        raise


def _end_at_once(code: int) -> None:
    """End without taking the interpreter apart.

    The Temporal SDK's threads outlive the event loop: a long poll holds the
    process for a minute after Ctrl-C, and a thread that reports back while
    the interpreter ends aborts the process, now and then, with status 134.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)
