"""What checks for drift found: the last check of each environment, and each unit since when it has drifted.

Only kinds, names and paths of fields are kept, never a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, case, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import environments
from workflows.ledger.connection import Ledger
from workflows.ledger.models import JsonObject, Record, record_of
from workflows.ledger.tables import drift_checks, drift_units


class DriftCheckRecord(Record, frozen=True, kw_only=True):
    """The last check of an environment. ``compared_at`` is None before the first that could compare anything.

    ``status`` as ``workflows.drift.findings.Status``; ``strays`` are objects with
    ADX's labels of no unit; ``not_healed`` says why nothing was put back, where that was asked for.
    """

    environment: str
    at: datetime
    status: str
    commit: str
    reason: str = ""
    rollout_id: str = ""
    compared: int = 0
    compared_at: datetime | None = None
    strays: tuple[JsonObject, ...] = ()
    not_healed: str = ""
    told: str = ""


class UnitSeen(Record, frozen=True, kw_only=True):
    """One unit in a check: ``objects`` are those that have drifted, none where it is as delivered."""

    unit: str
    digest: str
    commit: str
    objects: tuple[JsonObject, ...] = ()


class UnitDrift(Record, frozen=True, kw_only=True):
    """What is known of one unit. ``heals`` counts how often it was healed in a row and drifted again."""

    environment: str
    unit: str
    digest: str
    commit: str
    checked_at: datetime
    drifted_since: datetime | None
    objects: list[JsonObject]
    heals: int
    healed_at: datetime | None
    heal_rollout: str


async def record(ledger: Ledger, check: DriftCheckRecord, units: Sequence[UnitSeen] | None, *, calm: timedelta) -> None:
    """Write a check; ``units`` None: nothing could be compared, and what was known of units stays.

    A unit that was healed counts as calm again, its heals from nothing, when
    it is as delivered ``calm`` after that, or is declared otherwise.
    """
    async with ledger.transaction() as connection:
        await environments.ensure(connection, check.environment)
        await _write_check(connection, check, was_compared=units is not None)
        if units is not None:
            await _write_units(connection, check, units, calm)


async def checks(ledger: Ledger, names: Collection[str] = ()) -> tuple[DriftCheckRecord, ...]:
    """The last check of ``names``, or of every environment that was ever checked, by name."""
    chosen = select(drift_checks).order_by(drift_checks.c.environment)
    if names:
        chosen = chosen.where(drift_checks.c.environment.in_(names))
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(DriftCheckRecord, row) for row in rows)


async def units_of(ledger: Ledger, environment: str) -> tuple[UnitDrift, ...]:
    """Every unit that was compared last, by id."""
    chosen = select(drift_units).where(drift_units.c.environment == environment).order_by(drift_units.c.unit)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(UnitDrift, row) for row in rows)


async def healed(
    ledger: Ledger, environment: str, units: Iterable[str], *, rollout_id: str, at: datetime, is_back: bool
) -> None:
    """Count an attempt at healing ``units``, once for each rollout; ``is_back``: they are as delivered now."""
    chosen = update(drift_units).where(
        drift_units.c.environment == environment,
        drift_units.c.unit.in_(list(units)),
        drift_units.c.heal_rollout != rollout_id,
    )
    values: dict[str, object] = {"heals": drift_units.c.heals + 1, "healed_at": at, "heal_rollout": rollout_id}
    if is_back:
        values |= {"drifted_since": None, "objects": []}
    async with ledger.transaction() as connection:
        await connection.execute(chosen.values(values))


async def told(ledger: Ledger, environment: str, text: str) -> None:
    """Remember what the git hosting was told of the environment."""
    async with ledger.transaction() as connection:
        chosen = update(drift_checks).where(drift_checks.c.environment == environment)
        await connection.execute(chosen.values(told=text))


async def _write_check(connection: AsyncConnection, check: DriftCheckRecord, *, was_compared: bool) -> None:
    values = {
        "environment": check.environment,
        "at": check.at,
        "status": check.status,
        "commit": check.commit,
        "reason": check.reason,
        "rollout_id": check.rollout_id,
        "not_healed": check.not_healed,
    }
    if was_compared:
        values |= {"compared": check.compared, "compared_at": check.at, "strays": check.strays}
    write = insert(drift_checks).values(values)
    changed = {name: write.excluded[name] for name in values if name != "environment"}
    await connection.execute(write.on_conflict_do_update(index_elements=["environment"], set_=changed))


async def _write_units(
    connection: AsyncConnection, check: DriftCheckRecord, units: Sequence[UnitSeen], calm: timedelta
) -> None:
    gone = delete(drift_units).where(
        drift_units.c.environment == check.environment, drift_units.c.unit.not_in([one.unit for one in units])
    )
    await connection.execute(gone)
    if not units:
        return
    write, known = insert(drift_units), drift_units.c
    is_drifted = write.excluded.drifted_since.is_not(None)
    is_calm = and_(~is_drifted, known.healed_at < write.excluded.checked_at - calm)
    is_another = known.digest != write.excluded.digest
    since = func.coalesce(known.drifted_since, write.excluded.drifted_since)
    changed = {
        "digest": write.excluded.digest,
        "commit": write.excluded.commit,
        "checked_at": write.excluded.checked_at,
        "objects": write.excluded.objects,
        "drifted_since": case((is_drifted, since), else_=null()),
        "heals": case((is_another | is_calm, 0), else_=known.heals),
    }
    rows = [_row(check, one) for one in sorted(units, key=lambda one: one.unit)]
    await connection.execute(write.on_conflict_do_update(index_elements=["environment", "unit"], set_=changed), rows)


def _row(check: DriftCheckRecord, one: UnitSeen) -> dict[str, object]:
    return {
        "environment": check.environment,
        "unit": one.unit,
        "digest": one.digest,
        "commit": one.commit,
        "checked_at": check.at,
        "drifted_since": check.at if one.objects else None,
        "objects": list(one.objects),
    }
