"""Runs one command of `adx` in this process, with the error handling that all commands have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import typer
from typer.testing import CliRunner

from pipelines.cli.app import options
from pipelines.cli.group import AdxGroup


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(command: Callable[..., None], *arguments: str, **variables: str) -> Ran:
    """Run ``command`` with ``arguments`` (global options too) and ``variables`` on top of this process's own."""
    app = typer.Typer(cls=AdxGroup, callback=options)
    app.command()(command)
    ended = CliRunner().invoke(app, [command.__name__, *arguments], env={"COLUMNS": "80", **variables})
    return Ran(ended.exit_code, ended.stdout, ended.stderr)
