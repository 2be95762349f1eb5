"""How one unit got where it is, in every environment. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.models import Record, Rollout, UnitChange, UnitRecord, record_of
from workflows.ledger.tables import audit, rollouts, unit_history, units

_DECISIONS = {"rollout.fleet.skip": "skip", "rollout.fleet.retry": "retry"}


class UnitEntry(Record, frozen=True, kw_only=True):
    """A change of the unit, and the rollout that made it."""

    change: UnitChange
    rollout: Rollout


class UnitDecision(Record, frozen=True, kw_only=True):
    """A person's word about this unit in a rollout of tenants: ``what`` is ``skip`` or ``retry``."""

    at: datetime
    by: str
    what: str
    reason: str
    rollout_id: str


class UnitStory(Record, frozen=True, kw_only=True):
    """What a unit is in one environment, and its changes and decisions about it, newest first."""

    now: UnitRecord
    version: str | None
    changes: tuple[UnitEntry, ...]
    decisions: tuple[UnitDecision, ...]


async def stories(
    ledger: Ledger, unit: str, *, environment: str | None = None, limit: int = 20
) -> tuple[UnitStory, ...]:
    """The unit (``tenant/acme``) in each environment that knows it, by name, with ``limit`` changes each at most."""
    chosen = select(units).where(units.c.unit == unit).order_by(units.c.environment)
    if environment is not None:
        chosen = chosen.where(units.c.environment == environment)
    async with ledger.transaction() as connection:
        found = [record_of(UnitRecord, row) for row in (await connection.execute(chosen)).mappings()]
        return tuple([await _story(connection, now, limit) for now in found])


async def changes_of(
    ledger: Ledger, environment: str, unit: str, *, before: int | None = None, limit: int = 20
) -> tuple[UnitChange, ...]:
    """The unit's changes in ``environment`` alone, newest first; ``before`` (a ``sequence``) pages on."""
    async with ledger.transaction() as connection:
        return await _changes(connection, environment, unit, limit, before)


async def _story(connection: AsyncConnection, now: UnitRecord, limit: int) -> UnitStory:
    changes = await _entries(connection, now, limit)
    versions = (entry.change.version for entry in changes if entry.change.digest == now.digest)
    return UnitStory(
        now=now,
        version=next((version for version in versions if version is not None), None),
        changes=changes,
        decisions=await _decisions(connection, now, limit),
    )


async def _changes(
    connection: AsyncConnection, environment: str, unit: str, limit: int, before: int | None = None
) -> tuple[UnitChange, ...]:
    chosen = select(unit_history).where(unit_history.c.environment == environment, unit_history.c.unit == unit)
    if before is not None:
        chosen = chosen.where(unit_history.c.sequence < before)
    newest = chosen.order_by(unit_history.c.sequence.desc()).limit(limit)
    return tuple(record_of(UnitChange, row) for row in (await connection.execute(newest)).mappings())


async def _entries(connection: AsyncConnection, now: UnitRecord, limit: int) -> tuple[UnitEntry, ...]:
    found = await _changes(connection, now.environment, now.unit, limit)
    made_by = await _rollouts(connection, sorted({change.rollout_id for change in found}))
    return tuple(UnitEntry(change=change, rollout=made_by[change.rollout_id]) for change in found)


async def _rollouts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Rollout]:
    chosen = select(rollouts).where(rollouts.c.id.in_(ids))
    return {row["id"]: record_of(Rollout, row) for row in (await connection.execute(chosen)).mappings()}


async def _decisions(connection: AsyncConnection, now: UnitRecord, limit: int) -> tuple[UnitDecision, ...]:
    """From the audit trail, where the reason of a decision about a unit begins with its name."""
    said = audit.c.detail["reason"].as_string()
    about = or_(said == now.unit, said.startswith(f"{now.unit}: ", autoescape=True))
    chosen = (
        select(audit)
        .where(audit.c.environment == now.environment, audit.c.action.in_(_DECISIONS), about)
        .order_by(audit.c.sequence.desc())
        .limit(limit)
    )
    rows = (await connection.execute(chosen)).mappings().all()
    return tuple(
        UnitDecision(
            at=row["at"],
            by=row["actor"],
            what=_DECISIONS[row["action"]],
            reason=row["detail"]["reason"].removeprefix(now.unit).removeprefix(": "),
            rollout_id=row["detail"]["rollout_id"],
        )
        for row in rows
    )
