"""Webhook deliveries seen before, so that a replay is refused.

A receiver passes a delivery on first and remembers it second: what is lost in
between is passed on twice, which is harmless, rather than never.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from workflows.ledger.connection import Ledger
from workflows.ledger.tables import webhook_deliveries


def new_receipt() -> str:
    """Names one reception of a delivery, over all its retries."""
    return uuid.uuid4().hex


async def remember(ledger: Ledger, delivery_id: str, event: str, *, receipt: str | None = None) -> bool:
    """True the first time ``delivery_id`` is seen.

    A call that is repeated because its answer was lost passes the same
    ``receipt`` again and gets the same answer.
    """
    own = receipt or new_receipt()
    async with ledger.transaction() as connection:
        write = insert(webhook_deliveries).values(delivery_id=delivery_id, event=event, receipt=own)
        await connection.execute(write.on_conflict_do_nothing())
        chosen = select(webhook_deliveries.c.receipt).where(webhook_deliveries.c.delivery_id == delivery_id)
        return bool((await connection.execute(chosen)).scalar_one() == own)


async def is_known(ledger: Ledger, delivery_id: str) -> bool:
    """Whether the delivery was remembered before."""
    async with ledger.transaction() as connection:
        chosen = select(webhook_deliveries.c.delivery_id).where(webhook_deliveries.c.delivery_id == delivery_id)
        return await connection.scalar(chosen) is not None


async def prune(ledger: Ledger, *, received_before: datetime) -> int:
    """Forget old deliveries; returns how many. A replay older than that meets the poller's view of the branch."""
    async with ledger.transaction() as connection:
        old = delete(webhook_deliveries).where(webhook_deliveries.c.received_at < received_before)
        return int((await connection.execute(old)).rowcount)
