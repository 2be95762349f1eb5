"""`adx up`, `down`, `status`, `logs`, `env`, `doctor`: the local stack and what it is made of."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.following import Follower
    from scripts.progress import Reporter
    from scripts.stack import Stack
    from workflows.rollout.models import EnvironmentStatus

FOLLOW_EVERY_SECONDS = 0.2


def up(
    ctx: typer.Context,
    with_parts: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAME",
            help="One more part: vault, s3, redis, mariadb, consul, caddy, prometheus. Repeatable.",
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="NAME", help="Use this context of your kubeconfig as the cluster."),
    ] = None,
) -> None:
    """Start the local stack: Temporal, Kubernetes, PostgreSQL, a worker and the webhook receiver.

    Everything is real and lives in .adx/ of the repository. Starting twice is harmless. The first start builds what
    is missing, which takes a while once. Your own cluster is used only when you name its context.

    \b
    Examples:
      adx up
      adx up --with vault --with s3
      adx up --context kind-dev             your own cluster
      adx --repo ~/platform up              deliver another repository
    """
    from pipelines.screens.stack import parts_screen
    from pipelines.stack_parts import delivered
    from scripts.progress import Silent, reporter

    invocation = current(ctx)
    with nullcontext(Silent()) if invocation.is_json else reporter(invocation.output.notices) as progress:
        stack = _stack(invocation, progress)
        parts = stack.up(with_parts=with_parts or (), context=context)
    stack.write_environment(delivered(invocation.settings))
    invocation.output.result(parts, parts_screen(parts))


def down(ctx: typer.Context) -> None:
    """End the local stack; its data in .adx/ stays.

    \b
    Example:
      adx down
    """
    invocation = current(ctx)
    ended = _stack(invocation).down()
    if invocation.is_json:
        invocation.output.json(ended)
    else:
        invocation.output.say(f"ended: {', '.join(ended)}" if ended else "nothing was running")


def status(
    ctx: typer.Context,
    environment: Annotated[str | None, typer.Argument(metavar="ENV", help="One environment in full.")] = None,
) -> None:
    """Show the parts of the local stack and the environments; with ENV, the rollout that runs there or ran last.

    Exit status 6 when a part has crashed or is not ready.

    \b
    Examples:
      adx status
      adx status production
      adx status --json
    """
    invocation = current(ctx)
    if environment:
        _one_environment(invocation, environment)
    else:
        _everything(invocation)


def logs(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A part as `adx status` names it, for example worker.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and print what is added.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 200,
) -> None:
    """Print the log of a part of the local stack.

    \b
    Examples:
      adx logs worker
      adx logs worker -f
      adx logs kube-apiserver -n 1000
    """
    invocation = current(ctx)
    stack = _stack(invocation)
    path = stack.log_file(name)
    start = path.stat().st_size
    typer.echo(invocation.redactor.text(stack.logs(name, lines=lines)))
    if follow:
        for text in _added(path, start):
            typer.echo(invocation.redactor.text(text), nl=False)


def env(
    ctx: typer.Context,
    reveal: Annotated[bool, typer.Option(help="Print secret values too, for `eval`.")] = False,
) -> None:
    """Print the settings that lead to the stack, as lines for a shell.

    \b
    Examples:
      adx env
      eval "$(adx env --reveal)"; psql ...
    """
    invocation = current(ctx)
    shown = {
        name: value if reveal else invocation.redactor.text(value)
        for name, value in sorted(invocation.settings.values.items())
    }
    if invocation.is_json:
        invocation.output.json(shown)
    else:
        for name, value in shown.items():
            typer.echo(f"export {name}={shlex.quote(value)}")


def doctor(ctx: typer.Context) -> None:
    """List every external tool: its version, where it came from, and what is missing. --verbose adds where each lies.

    \b
    Examples:
      adx doctor
      adx doctor --json
    """
    from pipelines.screens.stack import doctor_screen
    from scripts.toolchain import doctor as rows

    found = rows()
    invocation = current(ctx)
    invocation.output.result(found, doctor_screen(found, with_paths=invocation.verbose))


def _stack(invocation: Invocation, reporter: Reporter | None = None) -> Stack:
    from pipelines.stack_parts import parts
    from scripts.progress import Silent
    from scripts.stack import Stack
    from scripts.toolchain import Toolchain

    chosen = reporter or Silent()
    settings = invocation.settings
    return Stack(settings.home, extra=parts(settings), toolchain=Toolchain(reporter=chosen), reporter=chosen)


def _everything(invocation: Invocation) -> None:
    from rich.console import Group

    from pipelines.screens.stack import environments_screen, parts_screen

    parts = _stack(invocation).status()
    statuses = asyncio.run(_environments(invocation)) if invocation.settings.optional("ADX_LEDGER_URL") else None
    screens = [parts_screen(parts)] if statuses is None else [parts_screen(parts), "", environments_screen(statuses)]
    invocation.output.result({"parts": parts, "environments": statuses}, Group(*screens))
    leave(ExitCode.OK if all(part.state == "ready" for part in parts) else ExitCode.UNREACHABLE)


async def _environments(invocation: Invocation) -> list[EnvironmentStatus] | None:
    """Every environment that the ledger knows; None, with a notice, while a part does not answer."""
    from pipelines.cli.connections import ledger, workflows
    from workflows.errors import AdxConnectionError, AdxTimeoutError
    from workflows.ledger.environments import all_environments
    from workflows.ledger.errors import LedgerNotMigrated

    try:
        async with ledger(invocation.settings) as opened:
            names = [found.name for found in await all_environments(opened)]
        client = await workflows(invocation.settings)
        return [await client.environment_status(name) for name in names]
    except LedgerNotMigrated:
        return []
    except (AdxConnectionError, AdxTimeoutError) as error:
        invocation.output.say(invocation.redactor.line(f"environments are not known: {error}"), "yellow")
        return None


def _one_environment(invocation: Invocation, environment: str) -> None:
    from datetime import UTC, datetime

    from pipelines.cli.watching import screen

    follower = asyncio.run(_look(invocation, environment))
    body = {"environment": environment, "rollout": follower.rollout, "restore_steps": follower.restore_steps}
    invocation.output.result(
        {**body, "line": follower.line, "frozen_reason": follower.frozen_reason}, screen([follower], datetime.now(UTC))
    )


async def _look(invocation: Invocation, environment: str) -> Follower:
    from datetime import UTC, datetime

    from pipelines.cli.connections import workflows
    from pipelines.following import Follower

    live = await (await workflows(invocation.settings)).status(environment)
    follower = Follower(environment, live.rollout.commit if live.rollout else "")
    follower.look(live, datetime.now(UTC))
    return follower


def _added(path: Path, offset: int) -> Iterator[str]:
    """What is appended to ``path`` after ``offset``, line by line so that no secret is torn apart; without end."""
    pending = b""
    while True:
        size = path.stat().st_size
        offset = 0 if size < offset else offset  # an overgrown log was set aside and begun anew
        with path.open("rb") as stream:
            stream.seek(offset)
            pending += stream.read()
            offset = stream.tell()
        whole, separator, pending = pending.rpartition(b"\n")
        if separator:
            yield (whole + separator).decode("utf-8", "replace")
        time.sleep(FOLLOW_EVERY_SECONDS)
