"""Steps of rollouts in the ledger: what was begun, how it ended, in which order.

A step is named by rollout, name and unit; its sequence number is given by the
ledger. A step that succeeded stays so until it is begun again, whatever a late
worker says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.errors import RolloutNotFound
from workflows.ledger.models import JsonObject, Step, record_of
from workflows.ledger.tables import rollouts, steps

StepEnd = Literal["succeeded", "failed", "cancelled", "skipped"]


async def begin(ledger: Ledger, rollout_id: str, name: str, *, unit: str | None = None) -> Step:
    """Write that a step begins, or find it running. A step that ended is opened again: this is another attempt.

    Raises RolloutNotFound.
    """
    async with ledger.transaction() as connection:
        await _lock_rollout(connection, rollout_id)
        found = await _find(connection, rollout_id, name, unit)
        if found is None:
            return as_step(await _insert(connection, rollout_id, name, unit))
        if found["status"] == "running":
            return as_step(found)
        values = {"status": "running", "attempts": found["attempts"] + 1, "finished_at": None}
        return as_step(await _change(connection, found, values))


async def finish(
    ledger: Ledger,
    rollout_id: str,
    name: str,
    status: StepEnd,
    *,
    unit: str | None = None,
    detail: JsonObject | None = None,
) -> Step:
    """Write how a step ended, or find that it was written; a step that was never begun is begun too.

    ``detail`` is JSON without secrets. The returned step says what counts.
    Raises RolloutNotFound.
    """
    async with ledger.transaction() as connection:
        await _lock_rollout(connection, rollout_id)
        found = await _find(connection, rollout_id, name, unit)
        found = found or await _insert(connection, rollout_id, name, unit)
        if found["status"] in (status, "succeeded"):
            return as_step(found)
        values = {"status": status, "detail": detail or {}, "finished_at": func.clock_timestamp()}
        return as_step(await _change(connection, found, values))


async def steps_of(ledger: Ledger, rollout_id: str) -> tuple[Step, ...]:
    """All steps of a rollout in order."""
    async with ledger.transaction() as connection:
        chosen = select(steps).where(steps.c.rollout_id == rollout_id).order_by(steps.c.sequence)
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(as_step(row) for row in rows)


def as_step(row: RowMapping) -> Step:
    """A row of the table as a record."""
    return record_of(Step, {**row, "unit": row["unit"] or None})


async def _lock_rollout(connection: AsyncConnection, rollout_id: str) -> None:
    # Steps of one rollout are written one at a time, so that their numbers have an order.
    chosen = select(rollouts.c.id).where(rollouts.c.id == rollout_id).with_for_update(key_share=True)
    if await connection.scalar(chosen) is None:
        raise RolloutNotFound(f"the ledger knows no rollout {rollout_id!r}")


async def _find(connection: AsyncConnection, rollout_id: str, name: str, unit: str | None) -> RowMapping | None:
    chosen = select(steps).where(steps.c.rollout_id == rollout_id, steps.c.name == name, steps.c.unit == (unit or ""))
    return (await connection.execute(chosen)).mappings().first()


async def _insert(connection: AsyncConnection, rollout_id: str, name: str, unit: str | None) -> RowMapping:
    following = select(func.coalesce(func.max(steps.c.sequence), 0) + 1).where(steps.c.rollout_id == rollout_id)
    write = insert(steps).values(
        rollout_id=rollout_id,
        sequence=following.scalar_subquery(),
        name=name,
        unit=unit or "",
        status="running",
    )
    row: RowMapping = (await connection.execute(write.returning(steps))).mappings().one()
    return row


async def _change(connection: AsyncConnection, row: RowMapping, values: Mapping[str, object]) -> RowMapping:
    own = update(steps).where(steps.c.rollout_id == row["rollout_id"], steps.c.sequence == row["sequence"])
    changed: RowMapping = (await connection.execute(own.values(values).returning(steps))).mappings().one()
    return changed
