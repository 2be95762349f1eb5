"""The record of a schema, kept with its backup: a restore writes it anew, so that no stale progress comes back.

Locks are never in a backup: they belong to sessions.
"""

from __future__ import annotations

from policies.migrations.history import OWN_TABLES
from workflows.clients.databases import batching_record, record
from workflows.clients.databases.session import Session
from workflows.migrations.backup.models import RecordRows

_MIGRATIONS = "SELECT version, description, checksum, state, applied_at, duration_ms FROM {} ORDER BY 1"
_STEPS = "SELECT version, direction, step, checksum, state, catalog_before FROM {} ORDER BY 1, 2, 3"
_BATCHES = (
    "SELECT version, direction, checksum, after_key, last_key, batches, rows_passed, rows_written FROM {} ORDER BY 1, 2"
)
_EXISTS = {
    "postgresql": "SELECT count(*) FROM pg_class WHERE relname = %s"
    " AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())",
    "mysql": "SELECT count(*) FROM information_schema.tables WHERE table_name = %s AND table_schema = database()",
}


async def read_rows(session: Session) -> RecordRows:
    """All rows of the record's tables; none where there are no tables. May be called in a transaction."""
    for table in OWN_TABLES[:2]:
        if not await _is_there(session, table):
            return RecordRows()
    migrations = await session.execute(_MIGRATIONS.format(OWN_TABLES[0]))
    steps = await session.execute(_STEPS.format(OWN_TABLES[1]))
    has_batches = await _is_there(session, OWN_TABLES[2])
    batches = await session.execute(_BATCHES.format(OWN_TABLES[2])) if has_batches else []
    return RecordRows(
        migrations=tuple((int(row[0]), *map(str, row[1:5]), int(row[5])) for row in migrations),  # type: ignore[misc]
        steps=tuple((int(row[0]), str(row[1]), int(row[2]), *map(str, row[3:])) for row in steps),  # type: ignore[misc]
        batches=tuple((int(row[0]), *row[1:5], *map(int, row[5:])) for row in batches),
    )


async def write_rows(session: Session, rows: RecordRows) -> None:
    """Make the record exactly ``rows``, in a transaction. The session holds the schema's lock."""
    await record.ensure_tables(session)
    await batching_record.ensure_table(session)
    kinds: tuple[tuple[tuple[object, ...], ...], ...] = (rows.migrations, rows.steps, rows.batches)
    await session.begin()
    try:
        for table, kept in zip(OWN_TABLES, kinds, strict=True):
            await session.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of our own
            for row in kept:
                places = ", ".join(["%s"] * len(row))
                await session.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - as above
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


async def _is_there(session: Session, table: str) -> bool:
    ((count,),) = await session.execute(_EXISTS[session.engine], (table,))
    return bool(count)
