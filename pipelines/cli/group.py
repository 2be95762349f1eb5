"""The `adx` command itself: global options anywhere on the line, expected errors without traceback.

Every command runs inside ``AdxGroup.invoke``, so that no command handles
errors by itself.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from pipelines.cli.invocation import Invocation
from pipelines.exit_codes import ExitCode
from policies.errors import AdxError
from scripts.errors import ScriptError
from workflows.errors import AdxConnectionError, AdxTimeoutError

_FLAGS = ("--json", "--verbose")
_OPTION = "--repo"


def hoisted(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with the global options first, so that `adx history --json` works like `adx --json history`.

    Nothing after ``--`` is touched.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front: list[str] = []
    rest: list[str] = []
    own = iter(arguments[:end])
    for argument in own:
        if argument in _FLAGS or argument.startswith(f"{_OPTION}="):
            front.append(argument)
        elif argument == _OPTION:
            front += [argument, *(value for value in [next(own, None)] if value is not None)]
        else:
            rest.append(argument)
    return [*front, *rest, *arguments[end:]]


class AdxGroup(TyperGroup):
    """Commands in the order they were registered; errors become messages and exit statuses."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse after moving global options to the front. The context's type is private to Typer."""
        return super().parse_args(ctx, hoisted(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; expected errors end the process with their exit status."""
        try:
            return super().invoke(ctx)
        except (AdxError, ScriptError) as error:
            _invocation(ctx).report(error)
            raise typer.Exit(exit_status(error)) from error
        except KeyboardInterrupt as error:
            sys.stderr.write("\ninterrupted\n")
            raise typer.Exit(ExitCode.INTERRUPTED) from error
        except (typer.Exit, typer.Abort, TyperException, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EPIPE:
                _report_defect(_invocation(ctx), error)
                raise typer.Exit(ExitCode.INTERNAL) from error
            raise  # Typer's own: usage errors, exits, and the closed pipe of `adx history | head`
        except Exception as error:
            _report_defect(_invocation(ctx), error)
            raise typer.Exit(ExitCode.INTERNAL) from error


def exit_status(error: AdxError | ScriptError) -> int:
    """The exit status of an expected error: its own, or "unreachable" for a lost connection or answer."""
    is_unreachable = isinstance(error, AdxConnectionError | AdxTimeoutError) and error.exit_code == ExitCode.FAILED
    return ExitCode.UNREACHABLE if is_unreachable else int(error.exit_code)


def _invocation(ctx: Any) -> Invocation:
    return ctx.obj if isinstance(ctx.obj, Invocation) else Invocation()


def _report_defect(invocation: Invocation, error: Exception) -> None:
    """A defect of ADX: the traceback helps whoever mends it, but only without secrets and local variables."""
    redactor = invocation.redactor
    if invocation.verbose:
        sys.stderr.write(redactor.text("".join(traceback.format_exception(error))))
    message = f"a defect in ADX: {type(error).__name__}: {error}"
    invocation.report(AdxError(message, next_step="run the command again with --verbose for the traceback"))
