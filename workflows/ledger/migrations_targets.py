"""Databases in the ledger: what each one holds, and what every operation did to it.

Everything that a run needs to be continued or taken back is in its row, written
before the first statement: a worker that dies leaves nothing that another does
not find. Who may write is in ``migrations_claims``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Update, and_, case, exists, false, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.migrations_claims import TargetClaim, check_in
from workflows.ledger.migrations_tables import database_catalogs, database_runs, database_targets
from workflows.ledger.models import JsonObject, Record, record_of

TargetStatus = Literal["migrating", "applied", "restored", "refused", "kept", "needs-operator"]
RunStatus = Literal["migrating", "delivered", "restored", "undone", "kept", "needs-operator"]


class DatabaseTargetRow(Record, frozen=True, kw_only=True):
    """What is known of one database; ``version`` None: not known yet. ``catalog`` is a digest."""

    target: str
    environment: str
    scripts: str
    engine: str
    tenants: list[str]
    version: int | None
    status: TargetStatus
    reason: str
    catalog: str | None
    operation_id: str
    token: int
    holder: str
    updated_at: datetime


class DatabaseRun(Record, frozen=True, kw_only=True):
    """What one operation does to one database; ``written``: see ``workflows.migrations.losses``. Catalogs by digest.

    ``written`` and the backup's mark are of the moment when the scripts ended, if an attempt saw it.
    """

    operation_id: str
    target: str
    environment: str
    from_version: int
    to_version: int
    status: RunStatus
    reason: str
    catalog_before: str | None
    catalog_after: str | None
    written: dict[str, str]
    backup: JsonObject | None
    started_at: datetime
    finished_at: datetime | None


async def begin(
    ledger: Ledger,
    claimed: TargetClaim,
    target: str,
    versions: tuple[int, int],
    *,
    catalog: Mapping[str, object],
    written: Mapping[str, str],
    backup: JsonObject | None = None,
) -> DatabaseRun:
    """Write what a run starts from, and what brings it back, or find what an earlier attempt wrote.

    ``versions`` are from and to; ``catalog`` is ``{"digest": …, "body": …}``; ``written`` counts until ``witness``.
    """
    async with ledger.transaction() as connection:
        await check_in(connection, claimed, [target])
        digest = await _keep_catalog(connection, catalog)
        values = {
            "operation_id": claimed.operation_id,
            "target": target,
            "environment": claimed.environment,
            "from_version": versions[0],
            "to_version": versions[1],
            "status": "migrating",
            "catalog_before": digest,
            "written": dict(written),
            "backup": backup,
        }
        await connection.execute(insert(database_runs).values(values).on_conflict_do_nothing())
        await connection.execute(_own_target(target).values(status="migrating", updated_at=func.clock_timestamp()))
        return await _run(connection, claimed.operation_id, target)


class Witnessed(Record, frozen=True, kw_only=True):
    """What stood in what a run brought when its scripts ended, and its backup, marked at that moment."""

    written: dict[str, str]
    backup: JsonObject | None

    def values(self) -> dict[str, object]:
        """The columns of the run."""
        return {"written": self.written, **({"backup": self.backup} if self.backup is not None else {})}


async def witness(ledger: Ledger, claimed: TargetClaim, target: str, seen: Witnessed) -> None:
    """Write what was seen when the scripts of a run ended."""
    async with ledger.transaction() as connection:
        await check_in(connection, claimed, [target])
        await connection.execute(_own_run(claimed.operation_id, target).values(seen.values()))


async def finish(
    ledger: Ledger,
    claimed: TargetClaim,
    target: str,
    ends: tuple[RunStatus, TargetStatus],
    *,
    version: int | None,
    operation_id: str = "",
    reason: str = "",
    catalog: Mapping[str, object] | None = None,
    seen: Witnessed | None = None,
) -> None:
    """Write how a run ended (``ends``: of the run, of the target) and what the database holds now.

    ``seen`` is as for ``witness``.
    ``operation_id`` names the run where it is not the claim's own: what another operation did is taken back.
    Where nothing was begun, nothing has become better: a target that needs somebody keeps that, and why.
    """
    async with ledger.transaction() as connection:
        await check_in(connection, claimed, [target])
        digest = await _keep_catalog(connection, catalog) if catalog is not None else None
        run: dict[str, object] = {"status": ends[0], "reason": reason[:2000], "finished_at": func.clock_timestamp()}
        run |= {"catalog_after": digest} if ends[0] == "delivered" else {}
        run |= seen.values() if seen is not None else {}
        ended = await connection.execute(_own_run(operation_id or claimed.operation_id, target).values(run))
        now: dict[str, object] = {
            "status": ends[1],
            "reason": reason[:2000],
            "updated_at": func.clock_timestamp(),
            "version": version,
        }
        known = database_targets.c
        if digest is not None:
            # What was there before, changes by hand among it, is no version's: drift stays drift.
            is_kept = and_(known.version == version, known.catalog.is_not(None)) if ends[0] == "restored" else false()
            now["catalog"] = case((is_kept, known.catalog), else_=digest)
        if not ended.rowcount and ends[1] != "applied":
            is_left = known.status == "needs-operator"
            now |= {one: case((is_left, known[one]), else_=now[one]) for one in ("status", "reason")}
        await connection.execute(_own_target(target).values(now))


async def confirm(ledger: Ledger, claimed: TargetClaim, versions: Mapping[str, int]) -> frozenset[str]:
    """Write of ``{target: version}`` that they have it: of those of which there is nothing else to be written.

    These are known with that version and what it looks like, were not begun by the operation, and never left half way.
    Returns their names.
    """
    target, run, done = database_targets.c, database_runs.c, set[str]()
    of_target = run.target == target.target
    is_begun = exists().where(of_target, run.operation_id == claimed.operation_id)
    was_half_way = exists().where(of_target, run.status == "needs-operator")
    async with ledger.transaction() as connection:
        await check_in(connection, claimed, versions)
        for version in sorted(set(versions.values())):
            named = target.target.in_([one for one, known in versions.items() if known == version])
            is_known = and_(target.version == version, target.catalog.is_not(None))
            now = {"status": "applied", "reason": "", "updated_at": func.clock_timestamp()}
            written = update(database_targets).where(named, is_known, ~is_begun, ~was_half_way).values(now)
            done |= set((await connection.scalars(written.returning(target.target))).all())
    return frozenset(done)


async def find_run(ledger: Ledger, operation_id: str, target: str) -> DatabaseRun | None:
    """What an operation did to a database; None where it has not begun."""
    async with ledger.transaction() as connection:
        chosen = select(database_runs).where(
            database_runs.c.operation_id == operation_id, database_runs.c.target == target
        )
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(DatabaseRun, row) if row else None


async def find_target(ledger: Ledger, target: str) -> DatabaseTargetRow | None:
    """What is known of a database; None where nothing is."""
    async with ledger.transaction() as connection:
        chosen = select(database_targets).where(database_targets.c.target == target)
        row = (await connection.execute(chosen)).mappings().first()
    return record_of(DatabaseTargetRow, row) if row else None


async def runs_of(ledger: Ledger, operation_id: str) -> tuple[DatabaseRun, ...]:
    """All databases that an operation has begun, by name."""
    chosen = select(database_runs).where(database_runs.c.operation_id == operation_id).order_by(database_runs.c.target)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(DatabaseRun, row) for row in rows)


async def delivered_runs(ledger: Ledger, target: str) -> tuple[DatabaseRun, ...]:
    """What brought ``target`` where it is, newest first; without runs that were taken back or never ended well."""
    table = database_runs.c
    chosen = select(database_runs).where(table.target == target, table.status.in_(["delivered", "kept"]))
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen.order_by(table.started_at.desc()))).mappings().all()
    return tuple(record_of(DatabaseRun, row) for row in rows)


async def operations_under_way(ledger: Ledger, environment: str) -> tuple[str, ...]:
    """The operations that are changing a database of the environment, as far as the ledger knows."""
    run, target = database_runs.c, database_targets.c
    chosen = (
        select(run.operation_id)
        .join(database_targets, (target.target == run.target) & (target.operation_id == run.operation_id))
        .where(run.environment == environment, run.status == "migrating")
    )
    async with ledger.transaction() as connection:
        return tuple(sorted(set((await connection.scalars(chosen)).all())))


async def abandon(ledger: Ledger, environment: str, operation_id: str, reason: str) -> None:
    """Write that nobody works any more at what the operation has begun and not ended."""
    run, target = database_runs.c, database_targets.c
    now = func.clock_timestamp()
    is_begun = (run.environment == environment) & (run.operation_id == operation_id) & (run.status == "migrating")
    ended = {"status": "needs-operator", "reason": reason}
    async with ledger.transaction() as connection:
        chosen = update(database_runs).where(is_begun).values(**ended, finished_at=now).returning(run.target)
        names = (await connection.scalars(chosen)).all()
        is_held = target.target.in_(names) & (target.operation_id == operation_id)
        await connection.execute(update(database_targets).where(is_held).values(**ended, updated_at=now))


async def newest_runs(ledger: Ledger, environment: str) -> dict[str, DatabaseRun]:
    """Of every database of an environment the run that brought it where it is, or left it half way, by target."""
    table, target = database_runs.c, database_targets.c
    is_half_way = (table.status == "needs-operator") & (target.status == "needs-operator")
    chosen = (
        select(database_runs)
        .join(database_targets, target.target == table.target)
        .ext(distinct_on(table.target))
        .where(table.environment == environment, table.status.in_(["delivered", "kept"]) | is_half_way)
        .order_by(table.target, table.started_at.desc())
    )
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return {row["target"]: record_of(DatabaseRun, row) for row in rows}


async def half_way_run(ledger: Ledger, target: str, before: datetime | None = None) -> DatabaseRun | None:
    """The run that left ``target`` half way (as of ``before``); None when another one came to its end after it."""
    table = database_runs.c
    chosen = select(database_runs).where(
        table.target == target, table.status.in_(["delivered", "kept", "undone", "needs-operator"])
    )
    if before is not None:
        chosen = chosen.where(table.finished_at < before)
    async with ledger.transaction() as connection:
        row = (await connection.execute(chosen.order_by(table.finished_at.desc()).limit(1))).mappings().first()
    newest = record_of(DatabaseRun, row) if row else None
    return newest if newest is not None and newest.status == "needs-operator" else None


async def settled_backups(ledger: Ledger, target: str) -> dict[str, datetime]:
    """Backups of ``target`` whose run has ended, by id, with when."""
    table = database_runs.c
    identity = table.backup["record"]["backup_id"].astext
    chosen = select(identity, table.finished_at).where(
        table.target == target, table.backup.is_not(None), table.finished_at.is_not(None)
    )
    async with ledger.transaction() as connection:
        found = (await connection.execute(chosen)).all()
    return {str(backup): finished.astimezone(UTC) for backup, finished in found}


async def targets_of(ledger: Ledger, environment: str) -> tuple[DatabaseTargetRow, ...]:
    """Every database of an environment that was ever migrated, by name."""
    table = database_targets
    chosen = select(table).where(table.c.environment == environment).order_by(table.c.target)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(record_of(DatabaseTargetRow, row) for row in rows)


async def catalog_body(ledger: Ledger, digest: str) -> JsonObject | None:
    """A catalog as it was recorded."""
    async with ledger.transaction() as connection:
        found: JsonObject | None = await connection.scalar(
            select(database_catalogs.c.body).where(database_catalogs.c.digest == digest)
        )
    return found


async def _keep_catalog(connection: AsyncConnection, catalog: Mapping[str, object]) -> str:
    write = insert(database_catalogs).values(digest=catalog["digest"], body=catalog["body"])
    await connection.execute(write.on_conflict_do_nothing())
    return str(catalog["digest"])


async def _run(connection: AsyncConnection, operation_id: str, target: str) -> DatabaseRun:
    table = database_runs
    chosen = select(table).where(table.c.operation_id == operation_id, table.c.target == target)
    return record_of(DatabaseRun, (await connection.execute(chosen)).mappings().one())


def _own_run(operation_id: str, target: str) -> Update:
    return update(database_runs).where(database_runs.c.operation_id == operation_id, database_runs.c.target == target)


def _own_target(target: str) -> Update:
    return update(database_targets).where(database_targets.c.target == target)
