"""Results by idempotency key: a retry after "done, but the answer was lost" finds its own result.

The key is *workflow id + unit + step + content digest*.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from workflows.ledger.connection import Ledger
from workflows.ledger.models import StoredResult, record_of
from workflows.ledger.tables import idempotent_results


def key_of(workflow_id: str, unit: str, step: str, digest: str) -> str:
    """The key of one step on one unit with one content. The parts hold no spaces, so they cannot run together."""
    return " ".join((workflow_id, unit, step, digest))


async def find(ledger: Ledger, key: str) -> StoredResult | None:
    """What was recorded under ``key``; None if nothing was."""
    async with ledger.transaction() as connection:
        chosen = select(idempotent_results).where(idempotent_results.c.key == key)
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(StoredResult, row) if row else None


async def record(ledger: Ledger, key: str, result: Any) -> StoredResult:
    """Keep ``result`` (JSON) under ``key``. The first one stays: the returned one is what counts."""
    async with ledger.transaction() as connection:
        write = insert(idempotent_results).values(key=key, result=result).on_conflict_do_nothing()
        await connection.execute(write)
        chosen = select(idempotent_results).where(idempotent_results.c.key == key)
        row = (await connection.execute(chosen)).mappings().one()
    return record_of(StoredResult, row)


async def prune(ledger: Ledger, *, recorded_before: datetime) -> int:
    """Forget results older than any workflow that could ask for them; returns how many."""
    async with ledger.transaction() as connection:
        old = delete(idempotent_results).where(idempotent_results.c.recorded_at < recorded_before)
        return int((await connection.execute(old)).rowcount)
