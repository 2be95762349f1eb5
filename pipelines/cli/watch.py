"""`adx watch`: rollouts that run already, live."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current, leave
from pipelines.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipelines.output import Output
    from workflows.client import Workflows
    from workflows.rollout.models import EnvironmentStatus


def watch(
    ctx: typer.Context,
    environment: Annotated[
        str | None, typer.Argument(metavar="ENV", help="The environment; all in which a rollout runs if none.")
    ] = None,
) -> None:
    """Show running rollouts live: steps, releases, waves, speed, time left, failures and what holds them.

    In a pipe a line for each event; with --json a JSON line for each. Ends with the rollouts, with the exit status of
    `adx deploy --watch`. Ctrl-C ends the watching and leaves the rollouts alone.

    \b
    Examples:
      adx watch                             everything that runs now
      adx watch production
      adx watch production --json | jq -r 'select(.unit) | "\\(.unit) \\(.status)"'
    """
    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    leave(asyncio.run(_watch(current(ctx), environment)))


async def _watch(invocation: Invocation, environment: str | None) -> ExitCode:
    from pipelines.cli.connections import workflows
    from pipelines.cli.watching import watch_to_the_end
    from pipelines.following import RolloutFollower

    names = [environment] if environment else await _environments(invocation)
    client = await workflows(invocation.settings)
    found = [await _once_begun(client, name, invocation.output) for name in names]
    followers = [RolloutFollower(one.environment, "", rollout_id=one.current) for one in found if one.current]
    if not followers:
        return _nothing_runs(invocation, found)
    return await watch_to_the_end(client, followers, invocation.output)


async def _environments(invocation: Invocation) -> list[str]:
    from pipelines.cli.connections import ledger
    from workflows.ledger.environments import all_environments

    async with ledger(invocation.settings) as opened:
        return [found.name for found in await all_environments(opened)]


async def _once_begun(client: Workflows, environment: str, output: Output) -> EnvironmentStatus:
    """The environment; what waits for its turn in one that is idle is about to begin."""
    from pipelines.cli.watching import LOOK_EVERY_SECONDS, first_answer
    from pipelines.following import IDLE_LOOKS

    for _ in range(IDLE_LOOKS):
        found = await first_answer(lambda: client.environment_status(environment), output)
        if found.current or found.frozen_reason or not found.pending:
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return found


def _nothing_runs(invocation: Invocation, found: list[EnvironmentStatus]) -> ExitCode:
    from pipelines.screens.next_steps import frozen

    held = [one for one in found if one.frozen_reason]
    for one in held:
        invocation.output.say(frozen(one.environment, one.frozen_reason))
    where = f" in {found[0].environment}" if len(found) == 1 else ""
    invocation.output.say(f"no rollout is under way{where}; `adx history` lists those that have ended")
    return ExitCode.NEEDS_OPERATOR if held else ExitCode.OK
