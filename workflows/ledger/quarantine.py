"""Commits that failed and were rolled back: not tried again until a person lifts the quarantine."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from workflows.ledger import audit, environments
from workflows.ledger.connection import Ledger
from workflows.ledger.models import Quarantined, record_of
from workflows.ledger.tables import quarantine


async def add(ledger: Ledger, environment: str, commit: str, *, reason: str, rollout_id: str) -> Quarantined:
    """Quarantine ``commit``; the first reason stays. Written to the audit trail in the same transaction."""
    async with ledger.transaction() as connection:
        await environments.ensure(connection, environment)
        write = insert(quarantine).values(environment=environment, commit=commit, reason=reason, rollout_id=rollout_id)
        once = write.on_conflict_do_nothing().returning(quarantine.c.commit)
        is_new = await connection.scalar(once) is not None
        chosen = select(quarantine).where(quarantine.c.environment == environment, quarantine.c.commit == commit)
        row = (await connection.execute(chosen)).mappings().one()
        if is_new:
            await audit.append_next_in(
                connection,
                actor="adx",
                source="rollout",
                action="commit.quarantined",
                environment=environment,
                commit=commit,
                detail={"reason": reason, "rollout_id": rollout_id},
            )
    return record_of(Quarantined, row)


async def find(ledger: Ledger, environment: str, commit: str) -> Quarantined | None:
    """Why ``commit`` is quarantined in ``environment``; None if it is not."""
    async with ledger.transaction() as connection:
        chosen = select(quarantine).where(quarantine.c.environment == environment, quarantine.c.commit == commit)
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(Quarantined, row) if row else None


async def commits_of(ledger: Ledger, environment: str) -> tuple[Quarantined, ...]:
    """All quarantined commits of ``environment``, newest first."""
    async with ledger.transaction() as connection:
        chosen = select(quarantine).where(quarantine.c.environment == environment).order_by(quarantine.c.at.desc())
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(Quarantined, row) for row in rows)


async def lift(ledger: Ledger, environment: str, commit: str, *, actor: str, source: str) -> bool:
    """A person's word that ``commit`` may be tried again. False if it was not quarantined."""
    async with ledger.transaction() as connection:
        gone = delete(quarantine).where(quarantine.c.environment == environment, quarantine.c.commit == commit)
        row = (await connection.execute(gone.returning(quarantine))).mappings().first()
        if row is None:
            return False
        await audit.append_next_in(
            connection,
            actor=actor,
            source=source,
            action="quarantine.lifted",
            environment=environment,
            commit=commit,
            detail={"reason": row["reason"], "rollout_id": row["rollout_id"]},
        )
    return True
