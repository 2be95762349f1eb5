"""Copies of the tables at stake in a schema beside, on the same server; and how their rows are put back.

Rows come back in one transaction, by name of column: generated columns are left
to the server, identity values are kept, and sequences never go backwards.
Foreign keys that hang on these tables are dropped and made again within it, so
that the server checks them (PostgreSQL), or are not looked at (MySQL, where the
rows are those that they held for).
"""

from __future__ import annotations

from collections.abc import Sequence

from workflows.clients.databases import DatabaseAddress
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session
from workflows.migrations.backup.models import SequenceMark
from workflows.migrations.backup.names import literal, space_of

_WRITABLE = {
    "postgresql": "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE c.relname = %s AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
    " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
    "mysql": "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = %s"
    " AND coalesce(generation_expression, '') = '' ORDER BY ordinal_position",
}
_SEQUENCES = """SELECT DISTINCT s.relname, c.relname FROM pg_depend d
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class c ON c.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')
    AND c.relname = ANY(%s) AND s.relnamespace = c.relnamespace
    AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY 1"""
_KEYS = """SELECT k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), k.convalidated
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND (
    (c.relname = ANY(%s) AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s))
    OR (r.relname = ANY(%s) AND r.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)))"""


async def make_copies(session: Session, address: DatabaseAddress, side: str, tables: Sequence[str]) -> None:
    """Copy ``tables`` into ``side``. PostgreSQL: within the caller's transaction. Made anew where it was begun."""
    engine = session.engine
    space = space_of(address)
    kind = "SCHEMA" if engine == "postgresql" else "DATABASE"
    await session.execute(f"DROP {kind} IF EXISTS {quoted(engine, side)}{' CASCADE' if kind == 'SCHEMA' else ''}")
    await session.execute(f"CREATE {kind} {quoted(engine, side)}{'' if kind == 'SCHEMA' else ' CHARACTER SET utf8mb4'}")
    for table in tables:
        copy, source = quoted(engine, side, table), quoted(engine, space, table)
        await session.execute(f"CREATE TABLE {copy} AS SELECT * FROM {source}")  # noqa: S608 - names are quoted


async def drop_copies(session: Session, side: str) -> None:
    """Forget them."""
    kind, how = ("SCHEMA", " CASCADE") if session.engine == "postgresql" else ("DATABASE", "")
    await session.execute(f"DROP {kind} IF EXISTS {quoted(session.engine, side)}{how}")


async def sequences_of(session: Session, address: DatabaseAddress, tables: Sequence[str]) -> tuple[SequenceMark, ...]:
    """Where the sequences and counters of ``tables`` stand."""
    if session.engine == "mysql":
        rows = await session.execute(
            "SELECT table_name, auto_increment FROM information_schema.tables"
            " WHERE table_schema = %s AND auto_increment IS NOT NULL",
            (address.database,),
        )
        return tuple(SequenceMark(name=str(name), value=int(value)) for name, value in rows if name in tables)
    marks = []
    for name, _ in await session.execute(_SEQUENCES, (list(tables), address.schema)):
        place = quoted("postgresql", address.schema, str(name))
        query = f"SELECT last_value, is_called FROM {place}"  # noqa: S608 - names are quoted
        ((value, is_called),) = await session.execute(query)
        marks.append(SequenceMark(name=str(name), value=int(value), is_called=bool(is_called)))
    return tuple(marks)


async def lock_places(session: Session, schema: str, tables: Sequence[str]) -> None:
    """Within the caller's transaction: nobody reads or writes ``tables`` until it ends. PostgreSQL only."""
    places = ", ".join(quoted("postgresql", schema, table) for table in tables)
    await session.execute(f"LOCK TABLE {places} IN ACCESS EXCLUSIVE MODE")


async def put_rows_back(session: Session, address: DatabaseAddress, side: str, tables: Sequence[str]) -> None:
    """Within the caller's transaction: the rows of ``tables`` are those of their copies, and no others."""
    if session.engine == "postgresql":
        await _put_back_postgres(session, address.schema, side, tables)
        return
    await session.execute("SET SESSION foreign_key_checks = 0")
    try:
        for table in tables:
            await session.execute(f"DELETE FROM {quoted('mysql', address.database, table)}")  # noqa: S608 - names are quoted
            await _insert(session, address.database, side, table)
    finally:
        await session.execute("SET SESSION foreign_key_checks = 1")


async def advance_sequences(session: Session, address: DatabaseAddress, marks: Sequence[SequenceMark]) -> None:
    """No sequence stands before where it stood at the backup; those that went further stay."""
    for mark in marks:
        place = quoted(session.engine, space_of(address), mark.name)
        if session.engine == "mysql":
            await session.execute(f"ALTER TABLE {place} AUTO_INCREMENT = {mark.value}")
            continue
        rows = await session.execute(
            "SELECT increment_by FROM pg_sequences WHERE schemaname = %s AND sequencename = %s",
            (address.schema, mark.name),
        )
        if not rows:
            continue
        further = "<" if int(rows[0][0]) > 0 else ">"
        behind = f"last_value {further} {mark.value} OR (last_value = {mark.value} AND NOT is_called)"
        new = f"{literal(place)}, {mark.value}, {str(mark.is_called).lower()}"
        await session.execute(f"SELECT setval({new}) FROM {place} WHERE {behind}")  # noqa: S608 - names are quoted


async def _put_back_postgres(session: Session, schema: str, side: str, tables: Sequence[str]) -> None:
    names = list(tables)
    places = [quoted("postgresql", schema, table) for table in tables]
    keys = await session.execute(_KEYS, (names, schema, names, schema))
    for owner, name, _, _ in keys:
        await session.execute(f"ALTER TABLE {owner} DROP CONSTRAINT {quoted('postgresql', str(name))}")
    for table, place in zip(tables, places, strict=True):
        await session.execute(f"ALTER TABLE {place} DISABLE TRIGGER USER")
        await session.execute(f"TRUNCATE {place}")
        await _insert(session, schema, side, table)
        await session.execute(f"ALTER TABLE {place} ENABLE TRIGGER USER")
    for owner, name, definition, _ in keys:
        await session.execute(f"ALTER TABLE {owner} ADD CONSTRAINT {quoted('postgresql', str(name))} {definition}")


async def _insert(session: Session, space: str, side: str, table: str) -> None:
    engine = session.engine
    rows = await session.execute(_WRITABLE[engine], (table, space))
    columns = ", ".join(quoted(engine, str(row[0])) for row in rows)
    keeping = " OVERRIDING SYSTEM VALUE" if engine == "postgresql" else ""
    target, source = quoted(engine, space, table), quoted(engine, side, table)
    statement = f"INSERT INTO {target} ({columns}){keeping} SELECT {columns} FROM {source}"  # noqa: S608 - names are quoted
    await session.execute(statement)
