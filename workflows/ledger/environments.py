"""Environments in the ledger: what was delivered to each, and whether it is frozen.

Writes that a late worker must not make carry its fencing token and are
checked in the same transaction.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import audit, fencing
from workflows.ledger.connection import Ledger
from workflows.ledger.models import Environment, record_of
from workflows.ledger.tables import environments


async def ensure(connection: AsyncConnection, name: str) -> None:
    """Make sure that the environment has its row."""
    await connection.execute(insert(environments).values(name=name).on_conflict_do_nothing())


async def find(ledger: Ledger, name: str) -> Environment | None:
    """The environment, or None before its first rollout."""
    async with ledger.transaction() as connection:
        row = (await connection.execute(select(environments).where(environments.c.name == name))).mappings().first()
    return record_of(Environment, row) if row else None


async def all_environments(ledger: Ledger) -> tuple[Environment, ...]:
    """Every environment that ever had a rollout, by name."""
    async with ledger.transaction() as connection:
        rows = (await connection.execute(select(environments).order_by(environments.c.name))).mappings().all()
    return tuple(record_of(Environment, row) for row in rows)


async def record_delivered(
    ledger: Ledger, name: str, *, commit: str, state_digest: str, snapshot: str | None, fencing_token: int
) -> Environment:
    """``commit`` is what the environment has now; ``snapshot`` None keeps the last good one.

    Raises StaleFencingToken.
    """
    values = {"delivered_commit": commit, "delivered_state_digest": state_digest}
    if snapshot is not None:
        values["last_good_snapshot"] = snapshot
    async with ledger.transaction() as connection:
        await fencing.check_in(connection, name, fencing_token)
        statement = update(environments).where(environments.c.name == name).values(values).returning(environments)
        row = (await connection.execute(statement)).mappings().one()
    return record_of(Environment, row)


async def forget_delivered(ledger: Ledger, name: str, *, fencing_token: int) -> None:
    """The environment has nothing again: its first delivery was taken back. Raises StaleFencingToken."""
    values = {"delivered_commit": None, "delivered_state_digest": None, "last_good_snapshot": None}
    async with ledger.transaction() as connection:
        await fencing.check_in(connection, name, fencing_token)
        await connection.execute(update(environments).where(environments.c.name == name).values(values))


async def freeze(ledger: Ledger, name: str, *, reason: str, rollout_id: str) -> None:
    """Nothing is delivered until an operator unfreezes. The first reason is kept: later ones follow from it."""
    async with ledger.transaction() as connection:
        await ensure(connection, name)
        frozen = update(environments).where(environments.c.name == name, environments.c.frozen_reason.is_(None))
        changed = (await connection.execute(frozen.values(frozen_reason=reason))).rowcount
        if changed:
            await audit.append_next_in(
                connection,
                actor="adx",
                source="rollout",
                action="environment.frozen",
                environment=name,
                detail={"reason": reason, "rollout_id": rollout_id},
            )


async def unfreeze(ledger: Ledger, name: str, *, actor: str, source: str, reason: str = "") -> bool:
    """An operator's word that the environment may be delivered to again. False if it was not frozen."""
    async with ledger.transaction() as connection:
        chosen = select(environments.c.frozen_reason).where(environments.c.name == name).with_for_update()
        was = await connection.scalar(chosen)
        if was is None:
            return False
        await connection.execute(update(environments).where(environments.c.name == name).values(frozen_reason=None))
        await audit.append_next_in(
            connection,
            actor=actor,
            source=source,
            action="environment.unfrozen",
            environment=name,
            detail={"was": was, "reason": reason},
        )
    return True
