"""The record of a schema, kept with its backup: a restore writes it anew, so that no stale progress comes back.

Locks are never in a backup: they belong to sessions.
"""

from __future__ import annotations

from workflows.clients.databases import record
from workflows.clients.databases.session import Session
from workflows.migrations.backup.models import RecordRows

_MIGRATIONS = "SELECT version, description, checksum, state, applied_at, duration_ms FROM {} ORDER BY 1"
_STEPS = "SELECT version, direction, step, checksum, state, catalog_before FROM {} ORDER BY 1, 2, 3"
_EXISTS = {
    "postgresql": "SELECT count(*) FROM pg_class WHERE relname = %s"
    " AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())",
    "mysql": "SELECT count(*) FROM information_schema.tables WHERE table_name = %s AND table_schema = database()",
}


async def read_rows(session: Session) -> RecordRows:
    """All rows of both tables; none where there are no tables. May be called in a transaction."""
    for table in record.TABLES:
        if not await _is_there(session, table):
            return RecordRows()
    migrations = await session.execute(_MIGRATIONS.format(record.TABLES[0]))
    steps = await session.execute(_STEPS.format(record.TABLES[1]))
    return RecordRows(
        migrations=tuple((int(row[0]), *map(str, row[1:5]), int(row[5])) for row in migrations),  # type: ignore[misc]
        steps=tuple((int(row[0]), str(row[1]), int(row[2]), *map(str, row[3:])) for row in steps),  # type: ignore[misc]
    )


async def write_rows(session: Session, rows: RecordRows) -> None:
    """Make the record exactly ``rows``, in a transaction. The session holds the schema's lock."""
    await record.ensure_tables(session)
    inserts = [f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s)" for table in record.TABLES]  # noqa: S608 - names are quoted
    await session.begin()
    try:
        for table in record.TABLES:
            await session.execute(f"DELETE FROM {table}")  # noqa: S608 - names are quoted
        for migration in rows.migrations:
            await session.execute(inserts[0], migration)
        for step in rows.steps:
            await session.execute(inserts[1], step)
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


async def _is_there(session: Session, table: str) -> bool:
    ((count,),) = await session.execute(_EXISTS[session.engine], (table,))
    return bool(count)
