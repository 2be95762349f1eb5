"""`adx resume`: after Temporal's data were lost, what the ledger still knows."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from workflows.rollout.resuming import Resumed


def resume(ctx: typer.Context) -> None:
    """Tell a Temporal that came back empty what the ledger knows; before any worker starts.

    Frozen environments are frozen there too; `adx restore` thaws them. Rollouts that nobody runs any more are ended in
    the ledger. Brings the ledger's tables up to date first. Harmless where there is nothing to do.

    \b
    Example:
      adx resume
    """
    from pipelines.output import plain

    done = asyncio.run(_resume(current(ctx)))
    frozen = f"frozen, as the ledger says: {', '.join(done.frozen) or 'no environment'}"
    ended = f"ended, since nobody runs it any more: {', '.join(done.ended) or 'no rollout'}"
    current(ctx).output.result(done, plain(f"{frozen}\n{ended}"))


async def _resume(invocation: Invocation) -> Resumed:
    os.environ.setdefault("TEMPORAL_DISABLE_ENVIRONMENT_INFO", "1")
    from pipelines.cli.connections import ledger, temporal
    from workflows.rollout.resuming import resume as resume_with

    client = await temporal(invocation.settings)
    async with ledger(invocation.settings) as opened:
        await opened.migrate()
        return await resume_with(opened, client, invocation.settings.task_queue)
