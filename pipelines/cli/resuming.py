"""`adx resume`: after Temporal's data were lost, what the ledger still knows."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from workflows.rollout.resuming import Resumed


def resume(
    ctx: typer.Context,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it; without, only say what would be done.")] = False,
) -> None:
    """Tell a Temporal that came back empty what the ledger knows; before any worker starts.

    Frozen environments are frozen there too; `adx restore` thaws them. Rollouts that nobody runs any more are ended in
    the ledger. Look at what would be done first: a Temporal that is not yours knows no rollout either. Brings the
    ledger's tables up to date.

    \b
    Examples:
      adx resume          what would be done
      adx resume --yes    do it
    """
    from pipelines.screens.resuming import resume_screen

    invocation = current(ctx)
    done = asyncio.run(_resume(invocation, is_sure=is_sure))
    asked = "" if is_sure else invocation.settings.temporal_address
    invocation.output.result(done, resume_screen(done, asked=asked))


async def _resume(invocation: Invocation, *, is_sure: bool) -> Resumed:
    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    from pipelines.cli.connections import ledger, temporal
    from workflows.rollout.resuming import resume as resume_with
    from workflows.rollout.resuming import what_is_lost

    client = await temporal(invocation.settings)
    async with ledger(invocation.settings) as opened:
        await opened.migrate()
        if not is_sure:
            return await what_is_lost(opened, client)
        return await resume_with(opened, client, invocation.settings.task_queue)
