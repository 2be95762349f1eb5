"""Opens what commands talk to; what does not answer is named by the errors of those parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipelines.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

    from workflows.client import Workflows
    from workflows.ledger import Ledger


async def temporal(settings: Settings) -> Client:
    """Temporal's own client. Raises SettingsError, and AdxConnectionError when Temporal does not answer."""
    _ = settings.temporal_address  # says what to do when it is missing
    from workflows.connection import connect

    return await connect(settings.values)


async def workflows(settings: Settings) -> Workflows:
    """The client of ADX's workflows. Raises as ``temporal`` does."""
    client = await temporal(settings)
    from workflows.client import Workflows

    return Workflows(client, settings.task_queue)


@asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The open ledger. Raises SettingsError and LedgerUnreachable."""
    url = settings.ledger_url
    from workflows.ledger import Ledger

    async with await Ledger.open(url) as opened:
        yield opened
