"""What the exit status of every `adx` command means; the one place that numbers are given.

An expected error carries its own status (``AdxError.exit_code``); these are
the values that it takes.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses; a script may rely on them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DECLARATIONS_INVALID = 3
    ROLLED_BACK = 4
    NEEDS_OPERATOR = 5
    UNREACHABLE = 6
    INTERNAL = 70
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "an expected failure; the message says what to do",
    ExitCode.USAGE: "wrong option or argument",
    ExitCode.DECLARATIONS_INVALID: "declarations are invalid",
    ExitCode.ROLLED_BACK: "the rollout failed; everything was restored",
    ExitCode.NEEDS_OPERATOR: "a unit could not be restored; a person is needed",
    ExitCode.UNREACHABLE: "something was not found or does not answer",
    ExitCode.INTERNAL: "a defect in ADX",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
}


def help_text() -> str:
    """The exit statuses as one line each, for `adx --help`."""
    return "\n".join(f"{code.value:>4}  {meaning}" for code, meaning in MEANINGS.items())
