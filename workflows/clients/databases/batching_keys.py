"""The column by whose order batches are cut: whether it can be, and how its values are read and bound.

Values travel as text that means the same in every session: what follows a crash may have other settings. They are
bound by the driver, as what the column is: a number that the server compared as text, or as floating point, would put
rows into the wrong batch.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from policies.migrations.batch_bounds import BatchKey
from policies.migrations.model import Statement
from policies.migrations.spec import Engine
from policies.spec import Spec
from workflows.clients.databases.errors import StatementRefused
from workflows.clients.databases.quoting import quoted
from workflows.clients.databases.session import Session

_POSTGRES_TYPES = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "text",
        "character varying",
        "character",
        "uuid",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)
_MYSQL_NUMBERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_MYSQL_BYTES = frozenset({"binary", "varbinary"})
# Not timestamp: read and compared in the session's time zone, it is the same twice when clocks are put back.
_MYSQL_TYPES = _MYSQL_NUMBERS | _MYSQL_BYTES | {"char", "varchar", "uuid", "date", "datetime"}

_IN_POSTGRES = """SELECT format_type(a.atttypid, a.atttypmod),
    format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL), NOT (a.attnotnull OR t.typnotnull),
    EXISTS (SELECT 1 FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am m ON m.oid = ic.relam
      JOIN pg_opclass o ON o.oid = i.indclass[0]
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'
        AND i.indkey[0] = a.attnum AND i.indcollation[0] = a.attcollation AND o.opcdefault),
    c.reltuples::bigint
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
  WHERE c.relnamespace = quote_ident(%s)::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = %s
    AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped"""
_IN_MYSQL = """SELECT c.column_type, c.data_type, c.is_nullable = 'YES',
    EXISTS (SELECT 1 FROM information_schema.statistics s
      WHERE s.table_schema = c.table_schema AND s.table_name = c.table_name AND s.column_name = c.column_name
        AND s.non_unique = 0 AND s.seq_in_index = 1 AND s.sub_part IS NULL AND s.index_type = 'BTREE'),
    coalesce(t.table_rows, -1)
  FROM information_schema.columns c JOIN information_schema.tables t
    ON t.table_schema = c.table_schema AND t.table_name = c.table_name
  WHERE t.table_type = 'BASE TABLE' AND c.table_schema = %s AND c.table_name = %s AND c.column_name = %s"""
_NO_TRANSACTIONS = """SELECT table_name, engine FROM information_schema.tables
  WHERE table_schema = %s AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"""


class KeyColumn(Spec):
    """A column that batches can be cut by. ``cast`` is its type in PostgreSQL, as the server writes it.

    ``rows_expected`` are those of the table by the server's statistics, None where there are none.
    """

    engine: Engine
    table: str
    column: str
    kind: str
    cast: str = ""
    rows_expected: int | None = None

    @property
    def placeholder(self) -> str:
        """What stands for a value of the key in a statement, with one ``%s``."""
        return f"CAST(%s AS {self.cast.replace('%', '%%')})" if self.engine == "postgresql" else "%s"

    def bound(self, key: str) -> object:
        """The value that the driver takes for ``key``."""
        if self.engine == "mysql" and self.kind in _MYSQL_NUMBERS:
            return int(key)
        return bytes.fromhex(key) if self.engine == "mysql" and self.kind in _MYSQL_BYTES else key

    async def first(self, session: Session) -> str | None:
        """The smallest key; None without rows."""
        return await self._one(session, f"ORDER BY {self._name} LIMIT 1")

    async def last(self, session: Session) -> str | None:
        """The greatest key; None without rows."""
        return await self._one(session, f"ORDER BY {self._name} DESC LIMIT 1")

    async def upto(self, session: Session, after: str, last: str, rows: int, *, is_first: bool) -> str | None:
        """The key that ends a batch of ``rows`` behind ``after`` (with it, when ``is_first``); None for fewer rows."""
        sign = ">=" if is_first else ">"
        where = f"WHERE {self._name} {sign} {self.placeholder} AND {self._name} <= {self.placeholder}"
        end = f"{where} ORDER BY {self._name} LIMIT 1 OFFSET %s"
        return await self._one(session, end, self.bound(after), self.bound(last), rows - 1)

    @property
    def _name(self) -> str:
        return quoted(self.engine, self.column)

    async def _one(self, session: Session, end: str, *parameters: object) -> str | None:
        shown = f"CAST({self._name} AS CHAR)"
        if self.engine == "postgresql":
            shown = f"to_jsonb({self._name}) #>> '{{}}'"
        elif self.kind in _MYSQL_BYTES:
            shown = f"HEX({self._name})"
        text = f"SELECT {shown} FROM {quoted(self.engine, self.table)} {end}"  # noqa: S608 - names are quoted
        rows = await session.execute(text, parameters)
        return str(rows[0][0]) if rows else None


async def find_key(session: Session, key: BatchKey, statement: Statement) -> KeyColumn:
    """The column that the header names. Raises StatementRefused when batches cannot be cut by it."""
    is_postgres = session.engine == "postgresql"
    place = session.address.schema if is_postgres else session.address.database
    found = await session.execute(_IN_POSTGRES if is_postgres else _IN_MYSQL, (place, *key))
    if not found:
        raise _unfit(f"there is no {key.table}.{key.column} here", "name a table and column as the catalog spells them")
    cast, kind, is_nullable, is_indexed, rows = found[0]
    _check(key, str(cast), str(kind), _POSTGRES_TYPES if is_postgres else _MYSQL_TYPES)
    if is_nullable:
        raise _unfit(
            f"{key.table}.{key.column} may be NULL, and such rows have no batch", "use a column that is NOT NULL"
        )
    if not is_indexed:
        raise _unfit(
            f"no unique index begins with {key.table}.{key.column}, so every batch would read the whole table",
            "use the primary key's first column, or make a unique index before",
        )
    if not is_postgres:
        await _check_engines(session, statement)
    return KeyColumn(
        engine=session.engine,
        table=key.table,
        column=key.column,
        kind=str(kind),
        cast=str(cast) if is_postgres else "",
        rows_expected=int(rows) if int(rows) >= 0 else None,
    )


def _check(key: BatchKey, shown: str, kind: str, allowed: Collection[str]) -> None:
    if kind not in allowed:
        what = f"{key.table}.{key.column} is {shown}, and batches are cut by whole numbers, text, uuid, dates and times"
        is_timestamp = kind == "timestamp"
        why = " (not timestamp, which the session's time zone changes)" if is_timestamp else ""
        raise _unfit(f"{what}{why}", "use another unique column")


async def _check_engines(session: Session, statement: Statement) -> None:
    """Rows and position share a transaction only where the tables know any."""
    named = {word.strip("`").lower() for word in statement.words}
    rows: list[Any] = await session.execute(_NO_TRANSACTIONS, (session.address.database,))
    for table, engine in rows:
        if str(table).lower() in named:
            raise _unfit(f"{table} is a table of {engine}, which has no transactions", "make it InnoDB before")


def _unfit(what: str, fix: str) -> StatementRefused:
    return StatementRefused(what, "batch", next_step=fix)
