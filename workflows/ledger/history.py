"""What the ledger tells a person: the rollouts of an environment, one rollout in full. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.errors import RolloutNotFound
from workflows.ledger.models import Rollout, RolloutHistory, Step, UnitRecord, record_of
from workflows.ledger.steps import as_step
from workflows.ledger.tables import quarantine, rollout_units, rollouts, steps


async def history(
    ledger: Ledger,
    environment: str,
    *,
    unit: str | None = None,
    before: datetime | None = None,
    limit: int = 20,
) -> tuple[RolloutHistory, ...]:
    """Rollouts of ``environment``, newest first, with their steps and units.

    ``unit`` (``service/cart``) keeps only rollouts that touched it; ``before``
    (a start time) pages on.
    """
    chosen = select(rollouts).where(rollouts.c.environment == environment)
    if before is not None:
        chosen = chosen.where(rollouts.c.started_at < before)
    if unit is not None:
        chosen = chosen.where(_touches(unit))
    async with ledger.transaction() as connection:
        newest = chosen.order_by(rollouts.c.started_at.desc(), rollouts.c.id.desc()).limit(limit)
        return await _in_full(connection, newest)


async def show(ledger: Ledger, rollout_id: str) -> RolloutHistory:
    """One rollout in full. Raises RolloutNotFound."""
    async with ledger.transaction() as connection:
        found = await _in_full(connection, select(rollouts).where(rollouts.c.id == rollout_id))
    if not found:
        raise RolloutNotFound(
            f"the ledger knows no rollout {rollout_id!r}", next_step="`adx history ENVIRONMENT` lists rollouts"
        )
    return found[0]


async def succeeded_in(ledger: Ledger, step: str, rollout_ids: Iterable[str]) -> frozenset[str]:
    """Those of ``rollout_ids`` in which ``step`` of the rollout as a whole succeeded."""
    chosen = select(steps.c.rollout_id).where(
        steps.c.rollout_id.in_(list(rollout_ids)),
        steps.c.name == step,
        steps.c.unit == "",
        steps.c.status == "succeeded",
    )
    async with ledger.transaction() as connection:
        return frozenset((await connection.scalars(chosen)).all())


async def delivered_before(ledger: Ledger, environment: str, commit: str | None) -> Rollout | None:
    """The newest rollout that delivered another commit than ``commit`` and is not quarantined: what to roll back to."""
    is_quarantined = exists().where(
        quarantine.c.environment == rollouts.c.environment, quarantine.c.commit == rollouts.c.commit
    )
    chosen = (
        select(rollouts)
        .where(rollouts.c.environment == environment, rollouts.c.status == "delivered", ~is_quarantined)
        .where(rollouts.c.commit.is_distinct_from(commit))
        .order_by(rollouts.c.finished_at.desc(), rollouts.c.id.desc())
        .limit(1)
    )
    async with ledger.transaction() as connection:
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(Rollout, row) if row else None


def _touches(unit: str) -> ColumnElement[bool]:
    in_units = exists().where(rollout_units.c.rollout_id == rollouts.c.id, rollout_units.c.unit == unit)
    in_steps = exists().where(steps.c.rollout_id == rollouts.c.id, steps.c.unit == unit)
    return or_(in_units, in_steps)


async def _in_full(connection: AsyncConnection, chosen: Select[tuple[object, ...]]) -> tuple[RolloutHistory, ...]:
    found = tuple(record_of(Rollout, row) for row in (await connection.execute(chosen)).mappings())
    ids = [rollout.id for rollout in found]
    steps_by_id = await _steps(connection, ids)
    units_by_id = await _units(connection, ids)
    return tuple(
        RolloutHistory(rollout=rollout, steps=tuple(steps_by_id[rollout.id]), units=tuple(units_by_id[rollout.id]))
        for rollout in found
    )


async def _steps(connection: AsyncConnection, ids: Sequence[str]) -> defaultdict[str, list[Step]]:
    found: defaultdict[str, list[Step]] = defaultdict(list)
    chosen = select(steps).where(steps.c.rollout_id.in_(ids)).order_by(steps.c.rollout_id, steps.c.sequence)
    for row in (await connection.execute(chosen)).mappings():
        found[row["rollout_id"]].append(as_step(row))
    return found


async def _units(connection: AsyncConnection, ids: Sequence[str]) -> defaultdict[str, list[UnitRecord]]:
    found: defaultdict[str, list[UnitRecord]] = defaultdict(list)
    chosen = select(rollout_units).where(rollout_units.c.rollout_id.in_(ids)).order_by(rollout_units.c.unit)
    for row in (await connection.execute(chosen)).mappings():
        found[row["rollout_id"]].append(record_of(UnitRecord, row))
    return found
