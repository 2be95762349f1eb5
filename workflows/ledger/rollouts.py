"""Rollouts in the ledger: started once, described as they learn more, finished once.

The id is the workflow's id, which makes every write here idempotent: a call
repeated after a lost answer finds its own row. Start and end are written to the
audit trail in the same transaction.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import audit, environments
from workflows.ledger.connection import Ledger
from workflows.ledger.errors import LedgerConflict, RolloutNotFound
from workflows.ledger.models import AuditEntry, JsonObject, NewRollout, Rollout, RolloutState, record_of
from workflows.ledger.tables import rollouts


async def start(ledger: Ledger, new: NewRollout) -> Rollout:
    """Write that a rollout started, or find it. Raises LedgerConflict if the id belongs to another rollout."""
    requested_by = audit.escape_name(new.requested_by)
    async with ledger.transaction() as connection:
        await environments.ensure(connection, new.environment)
        values = {
            "id": new.id,
            "environment": new.environment,
            "kind": new.kind,
            "commit": new.commit,
            "base_commit": new.base_commit,
            "status": "running",
            "requested_by": requested_by,
            "source": new.source,
        }
        write = insert(rollouts).values(values).on_conflict_do_nothing().returning(rollouts.c.id)
        is_new = await connection.scalar(write) is not None
        rollout = await _get(connection, new.id)
        _refuse_another(rollout, new)
        if is_new:
            await audit.append_in(connection, _entry(rollout, "rollout.started", rollout.requested_by, {}))
    return rollout


async def describe(
    ledger: Ledger,
    rollout_id: str,
    *,
    base_commit: str | None = None,
    change_set: JsonObject | None = None,
    plan_digest: str | None = None,
    status: RolloutState | None = None,
) -> Rollout:
    """Add what a running rollout has learned; None leaves a field as it is. Raises RolloutNotFound."""
    values = {"base_commit": base_commit, "change_set": change_set, "plan_digest": plan_digest, "status": status}
    known = {name: value for name, value in values.items() if value is not None}
    async with ledger.transaction() as connection:
        if known:
            running = update(rollouts).where(rollouts.c.id == rollout_id, rollouts.c.finished_at.is_(None))
            await connection.execute(running.values(known))
        return await _get(connection, rollout_id)


async def finish(
    ledger: Ledger,
    rollout_id: str,
    status: RolloutState,
    *,
    failure: JsonObject | None = None,
    restored_to: str | None = None,
    restore_verified: bool | None = None,
) -> Rollout:
    """Write how a rollout ended, or find that it was written. Only `needs-operator` may still end differently.

    Raises RolloutNotFound, and LedgerConflict when it ended in another way.
    """
    values: dict[str, Any] = {
        "status": status,
        "failure": failure,
        "restored_to": restored_to,
        "restore_verified": restore_verified,
        "finished_at": func.clock_timestamp(),
    }
    is_open = or_(rollouts.c.finished_at.is_(None), rollouts.c.status == "needs-operator")
    # The same end again is a repeated call, not another end.
    unfinished = update(rollouts).where(rollouts.c.id == rollout_id, is_open, rollouts.c.status != status)
    async with ledger.transaction() as connection:
        changed = (await connection.execute(unfinished.values(values))).rowcount
        rollout = await _get(connection, rollout_id)
        if rollout.status != status:
            raise LedgerConflict(f"rollout {rollout_id!r} ended as {rollout.status!r}, not {status!r}")
        if changed:
            detail = {"failure": failure, "restored_to": restored_to, "restore_verified": restore_verified}
            await audit.append_in(connection, _entry(rollout, f"rollout.{status}", "adx", detail))
    return rollout


async def find(ledger: Ledger, rollout_id: str) -> Rollout:
    """The rollout of this id. Raises RolloutNotFound."""
    async with ledger.transaction() as connection:
        return await _get(connection, rollout_id)


async def newest(ledger: Ledger, environment: str, *, limit: int) -> tuple[Rollout, ...]:
    """The last ``limit`` rollouts of ``environment``, newest first, without their steps."""
    chosen = select(rollouts).where(rollouts.c.environment == environment)
    async with ledger.transaction() as connection:
        newest_first = chosen.order_by(rollouts.c.started_at.desc(), rollouts.c.id.desc()).limit(limit)
        rows = (await connection.execute(newest_first)).mappings().all()
    return tuple(record_of(Rollout, row) for row in rows)


async def unfinished(ledger: Ledger, environment: str | None = None) -> tuple[Rollout, ...]:
    """Rollouts that have started and not ended, oldest first."""
    chosen = select(rollouts).where(rollouts.c.finished_at.is_(None)).order_by(rollouts.c.started_at, rollouts.c.id)
    if environment is not None:
        chosen = chosen.where(rollouts.c.environment == environment)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(Rollout, row) for row in rows)


async def _get(connection: AsyncConnection, rollout_id: str) -> Rollout:
    row = (await connection.execute(select(rollouts).where(rollouts.c.id == rollout_id))).mappings().first()
    if row is None:
        raise RolloutNotFound(
            f"the ledger knows no rollout {rollout_id!r}", next_step="`adx history ENVIRONMENT` lists rollouts"
        )
    return record_of(Rollout, row)


def _refuse_another(found: Rollout, new: NewRollout) -> None:
    if (found.environment, found.kind, found.commit) != (new.environment, new.kind, new.commit):
        raise LedgerConflict(
            f"rollout {new.id!r} is already in the ledger as {found.kind} of {found.commit} to {found.environment!r}"
        )


def _entry(rollout: Rollout, action: str, actor: str, detail: JsonObject) -> AuditEntry:
    return AuditEntry(
        key=f"{action}:{rollout.id}",
        actor=actor,
        source=rollout.source,
        action=action,
        environment=rollout.environment,
        commit=rollout.commit,
        detail={"rollout_id": rollout.id, "kind": rollout.kind, **detail},
    )
