"""Units in the ledger: the last state of each, its state in each rollout, and every change of its state.

Every write carries the fencing token and is refused in the same transaction
when a newer rollout owns the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from policies.desired_state import ServiceInputs, Unit
from workflows.ledger import fencing
from workflows.ledger.cells import Claim, check_in
from workflows.ledger.connection import Ledger
from workflows.ledger.models import Record, UnitRecord, UnitStatus, record_of
from workflows.ledger.tables import rollout_units, unit_history, units

_COMPARED = ("status", "digest", "commit", "fencing_token")
_TOLD = ("rollout_id", "status", "digest", "commit")


class UnitState(Record, frozen=True, kw_only=True):
    """The state of one unit. ``digest`` is that of its inputs, None once it is removed.

    ``version`` and ``reason`` (why it was not delivered) are told by its history only.
    """

    unit: str
    status: UnitStatus
    digest: str | None
    commit: str
    version: str | None = None
    reason: str = ""


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

    Written again unchanged, a row keeps its time and the history its length.
    With ``claim`` the writer must still hold that cell.
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
            # First, since it locks: the same states written twice at once are compared one after the other.
            await _upsert(connection, rollout_units, ("rollout_id", "unit"), rows)
            await _append(connection, rows, last)
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


def version_of(unit: Unit | None) -> str | None:
    """The version that a person knows the unit by; None where it has none."""
    return unit.inputs.service.version if unit is not None and isinstance(unit.inputs, ServiceInputs) else None


async def _append(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], states: Mapping[str, UnitState]
) -> None:
    """Add to the history of every unit that is about to get into another state."""
    environment = rows[0]["environment"]
    chosen = select(units).where(units.c.environment == environment, units.c.unit.in_(states))
    before = {row["unit"]: row for row in (await connection.execute(chosen)).mappings()}
    changes = [
        {
            **{name: row[name] for name in ("environment", "unit", *_TOLD)},
            "version": states[row["unit"]].version,
            "reason": states[row["unit"]].reason,
            **{f"from_{name}": was[name] if was is not None else None for name in ("status", "digest", "commit")},
        }
        for row in rows
        for was in [before.get(row["unit"])]
        if was is None or any(was[name] != row[name] for name in _TOLD)
    ]
    if changes:
        await connection.execute(insert(unit_history), changes)


def _columns(state: UnitState) -> dict[str, Any]:
    return {"unit": state.unit, "status": state.status, "digest": state.digest, "commit": state.commit}


async def _upsert(connection: AsyncConnection, table: Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    write = insert(table)
    changed = {name: write.excluded[name] for name in ("rollout_id", *_COMPARED)}
    is_different = or_(*(table.c[name].is_distinct_from(write.excluded[name]) for name in ("rollout_id", *_COMPARED)))
    update = {**changed, "updated_at": func.clock_timestamp()}
    await connection.execute(write.on_conflict_do_update(index_elements=key, set_=update, where=is_different), rows)
