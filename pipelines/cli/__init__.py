"""The `adx` command. One module per group of commands; ``main`` is the entry point."""

from __future__ import annotations

import os
import sys

from pipelines.exit_codes import ExitCode


def main() -> None:
    """Run `adx` with the process's arguments and end the process with its exit status."""
    from pipelines.cli.app import build

    try:
        build()(prog_name="adx")
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:
            # The Temporal SDK's threads finish their calls before the interpreter ends, and a long poll
            # takes a minute: whoever pressed Ctrl-C does not wait for that.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ExitCode.INTERRUPTED)
        raise
