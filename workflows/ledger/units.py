"""Units in the ledger: the last state of each, and its state in each rollout.

Every write carries the fencing token and is refused in the same transaction
when a newer rollout owns the environment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Table, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import fencing
from workflows.ledger.cells import Claim, check_in
from workflows.ledger.connection import Ledger
from workflows.ledger.models import Record, UnitRecord, UnitStatus, record_of
from workflows.ledger.tables import rollout_units, units

_COMPARED = ("status", "digest", "commit", "fencing_token")


class UnitState(Record, frozen=True, kw_only=True):
    """The state of one unit. ``digest`` is that of its inputs, None once it is removed."""

    unit: str
    status: UnitStatus
    digest: str | None
    commit: str


async def record(
    ledger: Ledger,
    environment: str,
    rollout_id: str,
    states: Iterable[UnitState],
    *,
    fencing_token: int,
    claim: Claim | None = None,
) -> None:
    """Write the states that units have now, all in one transaction. Raises StaleFencingToken.

    Written again unchanged, a row keeps its time. With ``claim`` the writer
    must still hold that cell.
    """
    shared = {"environment": environment, "rollout_id": rollout_id, "fencing_token": fencing_token}
    # One row a unit, in one order in all processes: no deadlocks, and PostgreSQL refuses a row given twice.
    last = {state.unit: state for state in states}
    rows = [{**shared, **_columns(last[unit])} for unit in sorted(last)]
    async with ledger.transaction() as connection:
        await fencing.check_in(connection, environment, fencing_token)
        if claim is not None:
            await check_in(connection, claim)
        if rows:
            await _upsert(connection, rollout_units, ("rollout_id", "unit"), rows)
            await _upsert(connection, units, ("environment", "unit"), rows)


async def units_of(ledger: Ledger, environment: str) -> tuple[UnitRecord, ...]:
    """The last state of every unit of ``environment``, removed ones included, by id."""
    async with ledger.transaction() as connection:
        chosen = select(units).where(units.c.environment == environment).order_by(units.c.unit)
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(UnitRecord, row) for row in rows)


async def find(ledger: Ledger, environment: str, unit: str) -> UnitRecord | None:
    """The last state of one unit; None if it never was part of a rollout."""
    async with ledger.transaction() as connection:
        chosen = select(units).where(units.c.environment == environment, units.c.unit == unit)
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(UnitRecord, row) if row else None


def _columns(state: UnitState) -> dict[str, Any]:
    return {"unit": state.unit, "status": state.status, "digest": state.digest, "commit": state.commit}


async def _upsert(connection: AsyncConnection, table: Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    write = insert(table)
    changed = {name: write.excluded[name] for name in ("rollout_id", *_COMPARED)}
    is_different = or_(*(table.c[name].is_distinct_from(write.excluded[name]) for name in ("rollout_id", *_COMPARED)))
    update = {**changed, "updated_at": func.clock_timestamp()}
    await connection.execute(write.on_conflict_do_update(index_elements=key, set_=update, where=is_different), rows)
