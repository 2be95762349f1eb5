"""`adx history`, `show`, `verify-audit`: what the ledger remembers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from workflows.ledger import Ledger
    from workflows.ledger.models import AuditHead, RolloutHistory
    from workflows.ledger.unit_history import UnitStory

LONGEST_HISTORY = 1000


def history(
    ctx: typer.Context,
    environment: Annotated[
        str | None, typer.Argument(metavar="ENV", help="The environment; all if none is given.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="What this unit is, e.g. service/cart, and how it got there.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="The same of a tenant, by its name.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LONGEST_HISTORY, help="How many.")] = 20,
) -> None:
    """List rollouts, newest first; or say how one unit got where it is.

    With --tenant or --unit: what it is in each environment (commit, digest of its inputs, version, status), and each
    change of that, with the rollout, who asked for it, and why it was restored.

    \b
    Examples:
      adx history
      adx history production --limit 50
      adx history --tenant acme
      adx history production --unit service/cart --json
    """
    if unit and tenant:
        raise typer.BadParameter("give --unit or --tenant, not both")
    wanted = f"tenant/{tenant}" if tenant else unit
    if wanted:
        from pipelines.screens.history import unit_history_screen

        stories, newest = asyncio.run(_stories(current(ctx), wanted, environment, limit))
        current(ctx).output.result(stories, unit_history_screen(wanted, stories, newest))
        return
    from pipelines.screens.history import history_screen

    found = asyncio.run(_history(current(ctx), environment, limit))
    current(ctx).output.result(found, history_screen([entry.rollout for entry in found]))


def show(
    ctx: typer.Context,
    rollout: Annotated[str, typer.Argument(metavar="ROLLOUT", help="The id that `adx history` shows.")],
) -> None:
    """Show one rollout: its steps, its units, why it failed and what was restored.

    \b
    Examples:
      adx show adx-rollout-production-3f2a9c1b0411-0a1b2c
      adx show adx-rollout-production-3f2a9c1b0411-0a1b2c --json
    """
    from pipelines.screens.show import show_screen

    found, newest = asyncio.run(_show(current(ctx), rollout))
    current(ctx).output.result(found, show_screen(found, newest))


def verify_audit(
    ctx: typer.Context,
    kept: Annotated[
        str | None, typer.Option(metavar="SEQUENCE:HASH", help="An end that an earlier run printed and you kept.")
    ] = None,
) -> None:
    """Check that nothing in the audit trail was changed, removed or slipped in.

    Prints the end of the trail. Keep it elsewhere: given back with --kept, it also proves that nothing was cut off.

    \b
    Examples:
      adx verify-audit
      adx verify-audit --kept 1841:9f86d081884c…
    """
    from pipelines.output import plain

    head = asyncio.run(_verify(current(ctx), kept))
    current(ctx).output.result(head, plain(f"the trail holds; its end is {head.sequence}:{head.hash}", "green"))


async def _stories(
    invocation: Invocation, unit: str, environment: str | None, limit: int
) -> tuple[tuple[UnitStory, ...], dict[str, str]]:
    """The stories, and by environment the id of its newest rollout."""
    from pipelines.cli.connections import ledger
    from workflows.ledger.unit_history import stories

    async with ledger(invocation.settings) as opened:
        found = await stories(opened, unit, environment=environment, limit=limit)
        return found, {name: await _newest(opened, name) for name in (story.now.environment for story in found)}


async def _history(invocation: Invocation, environment: str | None, limit: int) -> list[RolloutHistory]:
    from pipelines.cli.connections import ledger
    from workflows.ledger import environments
    from workflows.ledger.history import history as read

    async with ledger(invocation.settings) as opened:
        names = [environment] if environment else [found.name for found in await environments.all_environments(opened)]
        found = [entry for name in names for entry in await read(opened, name, limit=limit)]
    return sorted(found, key=lambda entry: entry.rollout.started_at, reverse=True)[:limit]


async def _show(invocation: Invocation, rollout_id: str) -> tuple[RolloutHistory, str]:
    """The rollout, and the id of the newest one of its environment."""
    from pipelines.cli.connections import ledger
    from workflows.ledger.history import show as read

    async with ledger(invocation.settings) as opened:
        found = await read(opened, rollout_id)
        return found, await _newest(opened, found.rollout.environment)


async def _newest(opened: Ledger, environment: str) -> str:
    """The id of the newest rollout of an environment that has one."""
    from workflows.ledger import rollouts

    (newest,) = await rollouts.newest(opened, environment, limit=1)
    return newest.id


async def _verify(invocation: Invocation, kept: str | None) -> AuditHead:
    from pipelines.cli.connections import ledger
    from workflows.ledger.audit import verify_chain

    async with ledger(invocation.settings) as opened:
        return await verify_chain(opened, kept=_head(kept) if kept else None)


def _head(text: str) -> AuditHead:
    from workflows.ledger.models import AuditHead

    sequence, _, digest = text.partition(":")
    if not (sequence.isascii() and sequence.isdecimal() and len(digest) == 64):
        raise typer.BadParameter("--kept takes SEQUENCE:HASH as `adx verify-audit` prints it")
    return AuditHead(sequence=int(sequence), hash=digest.lower())
