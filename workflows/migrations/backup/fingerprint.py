"""Row counts and order-independent checksums of every table, computed by the server.

Each row is hashed to 64 bits; the hashes of all rows are added and XORed, so
that order does not matter. Equal checksums mean equal rows for whatever happens
by accident; they are no proof against somebody who makes collisions on purpose.
Hashes compare with those of the same server only. PostgreSQL: the server's own
row hash, mixed once more (by itself it is linear, and would not see two rows
that swap a value). MySQL: MD5 of all columns as text; FLOAT to six digits.

ADX's own tables, materialized views and foreign tables are left out; partitions
count with their table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from policies.migrations.history import OWN_TABLES
from policies.migrations.spec import Engine
from workflows.clients.databases.address import DatabaseAddress
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session
from workflows.migrations.backup.models import Point, TableMark
from workflows.migrations.backup.names import now_text, space_of

Columns = Mapping[str, Sequence[tuple[str, str]]]  # table → (column, type), by column

_COLUMNS = {
    "postgresql": "SELECT c.relname, a.attname, t.typname FROM pg_class c"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_type t ON t.oid = a.atttypid"
    " WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
    " AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
    " AND d.deptype = 'e') ORDER BY 1, 2",
    "mysql": "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
    " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
    " WHERE c.table_schema = %s AND t.table_type = 'BASE TABLE' ORDER BY 1, 2",
}
# Types whose hash sees all of their value; the rest is hashed as text.
_HASHED = frozenset(
    {"bool", "int2", "int4", "int8", "oid", "uuid", "date", "time", "timestamp", "timestamptz", "bytea"}
)
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
_LONG = frozenset({"tinytext", "text", "mediumtext", "longtext", "json"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "inet6", "inet4", "uuid"})
_SHAPES = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
    }
)
_AS_TEXT = (
    "SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),"
    " set_config('intervalstyle', 'postgres', true), set_config('extra_float_digits', '1', true),"
    " set_config('bytea_output', 'hex', true), set_config('row_security', 'off', true)"
)
_WRITES = (
    "SELECT relname, pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)"
    " + pg_stat_get_tuples_deleted(oid) FROM pg_class"
    " WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND relkind = 'r'"
)
_COUNTS_AT_WILL = 15  # the major version of PostgreSQL from which on counts of writes can be asked for at once


async def count_writes(session: Session) -> None:
    """Have what this session wrote counted now: PostgreSQL does so once a second, and it would seem to be of later."""
    if session.engine == "postgresql" and int(session.version_text().partition(".")[0]) >= _COUNTS_AT_WILL:
        await session.execute("SELECT pg_stat_force_next_flush()")


async def columns_of(session: Session, space: str) -> Columns:
    """Every table with its columns and their types, ordered by name."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table, column, kind in await session.execute(_COLUMNS[session.engine], (space,)):
        if table not in OWN_TABLES:
            found[str(table)] += [(str(column), str(kind))] if column is not None else []
    return found


async def read_point(
    session: Session,
    address: DatabaseAddress,
    known: Point | None = None,
    *,
    space: str | None = None,
    only: Collection[str] | None = None,
) -> Point:
    """The state of all tables in ``space`` (default: the address's own). Call it in a transaction.

    ``known``: the point whose columns ``kept`` is about; without one every column is known.
    ``only``: the tables that are read, beside those that ``known`` does not know.
    """
    where = space if space is not None else space_of(address)
    if session.engine == "postgresql":
        await session.execute(_AS_TEXT)
    columns = await columns_of(session, where)
    writes: dict[str, int] = dict(await session.execute(_WRITES, (where,))) if session.engine == "postgresql" else {}
    marks = []
    for table, of_table in columns.items():
        before = known.table(table) if known is not None else None
        if only is not None and table not in only and (known is None or before is not None):
            marks.append(TableMark(table=table, rows=-1, kept="", columns=tuple(name for name, _ in of_table)))
            continue
        mark = await _mark(session, where, table, of_table, before)
        marks.append(mark if table not in writes else _with_writes(mark, int(writes[table])))
    return Point(taken_at=now_text(), tables=tuple(marks))


async def _mark(
    session: Session, space: str, table: str, columns: Sequence[tuple[str, str]], before: TableMark | None
) -> TableMark:
    known = frozenset(before.columns if before is not None else (name for name, _ in columns))
    kept = [one for one in columns if one[0] in known]
    added = [one for one in columns if one[0] not in known]
    ((rows, first, second, third, fourth),) = await session.execute(_query(session.engine, space, table, kept, added))
    return TableMark(
        table=table,
        rows=int(rows),
        kept=f"{first}:{second}",
        added=f"{third}:{fourth}" if added else "",
        columns=tuple(name for name, _ in columns),
    )


def _with_writes(mark: TableMark, writes: int) -> TableMark:
    return TableMark(
        table=mark.table, rows=mark.rows, kept=mark.kept, added=mark.added, columns=mark.columns, writes=writes
    )


def _query(
    engine: Engine, space: str, table: str, kept: Sequence[tuple[str, str]], added: Sequence[tuple[str, str]]
) -> str:
    hashed = _postgres_hash if engine == "postgresql" else _mysql_hash
    as_text = "CAST({} AS char)" if engine == "mysql" else "CAST({} AS text)"
    totals = [as_text.format(f"coalesce({how}({name}), 0)") for name in ("k", "a") for how in ("sum", "bit_xor")]
    hashes = f"{hashed(kept)} AS k, {_when_any(engine, added, hashed(added))} AS a"
    place = quoted(engine, space, table)
    return f"SELECT count(*), {', '.join(totals)} FROM (SELECT {hashes} FROM {place}) AS hashed"  # noqa: S608 - names are quoted


def _when_any(engine: Engine, columns: Sequence[tuple[str, str]], hashed: str) -> str:
    """Rows that hold nothing in new columns count for nothing there: a row written by an old service loses nothing."""
    if not columns:
        return hashed
    nothing = " AND ".join(f"{quoted(engine, name)} IS NULL" for name, _ in columns)
    return f"CASE WHEN {nothing} THEN 0 ELSE {hashed} END"


def _postgres_hash(columns: Sequence[tuple[str, str]]) -> str:
    if not columns:
        return "0::bigint"
    values = ", ".join(_postgres_value(name, kind) for name, kind in columns)
    return f"hashint8extended(hash_record_extended(ROW({values}), 0), 0)"


def _postgres_value(name: str, kind: str) -> str:
    column = quoted("postgresql", name)
    if kind in _HASHED:
        return column
    return f'{column} COLLATE "C"' if kind in _TEXTS - {"bpchar", "name"} else f'{column}::text COLLATE "C"'


def _mysql_hash(columns: Sequence[tuple[str, str]]) -> str:
    if not columns:
        return "0"
    values = ", ".join(_mysql_value(name, kind) for name, kind in columns)
    return f"CAST(CONV(LEFT(MD5(CONCAT_WS(',', {values})), 16), 16, 10) AS UNSIGNED)"


def _mysql_value(name: str, kind: str) -> str:
    """A text that is never NULL; long ones by their own MD5, so that no row is longer than a packet may be."""
    column = quoted("mysql", name)
    if kind in _LONG:
        return f"coalesce(MD5({column}), '-')"
    if kind in _SHAPES:
        return f"coalesce(MD5(ST_AsBinary({column})), '-')"
    if kind in _BYTES:
        return f"coalesce(HEX({column}), '-')"
    if kind in ("double", "bit"):
        return f"coalesce({column} + 0, '-')"
    return f"QUOTE({column})"
