"""What one run of `adx` was asked for: the global options and what follows from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import typer

from pipelines.exit_codes import ExitCode
from pipelines.output import Output
from policies.errors import AdxError
from scripts.errors import ScriptError

if TYPE_CHECKING:  # both import more than `adx --help` needs
    from pipelines.settings import Settings
    from workflows.telemetry.redaction import Redactor


@dataclass(frozen=True)
class Invocation:
    """The global options. ``repository`` is the option `--repo`: a folder, a git repository or its address."""

    repository: str | None = None
    is_json: bool = False
    verbose: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once."""
        from pipelines.settings import load

        return load(repository=self.repository)

    @cached_property
    def output(self) -> Output:
        """Where results, notices and errors go."""
        return Output(is_json=self.is_json)

    @cached_property
    def redactor(self) -> Redactor:
        """Masks every secret that the environment and the settings file know."""
        from workflows.telemetry.redaction import Redactor, known_secrets

        try:
            values = {**os.environ, **self.settings.values}
        except AdxError:  # the settings themselves are what cannot be read; the environment still is
            values = dict(os.environ)
        return Redactor.of(known_secrets(values))

    def report(self, error: AdxError | ScriptError) -> None:
        """Print an expected error."""
        self.output.error(error, self.redactor)


def current(ctx: typer.Context) -> Invocation:
    """The invocation that a command belongs to."""
    return cast(Invocation, ctx.obj)


def leave(code: ExitCode) -> None:
    """End the command with this status; go on where it is OK."""
    if code:
        raise typer.Exit(int(code))
