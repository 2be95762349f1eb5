"""PostgreSQL through psycopg: sessions on the server itself, never through a pooler.

A pooler that hands out server connections transaction by transaction would
leave the schema's lock, which belongs to a session, with somebody else. It is
known by its key: the process number that it gave when connecting is not the one
that the server has (protocol, "BackendKeyData").
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from policies.migrations.catalog import Catalog
from policies.migrations.model import Statement
from policies.migrations.statements import index_name
from workflows.clients.databases.address import DatabaseAddress
from workflows.clients.databases.errors import (
    DatabaseUnreachable,
    LockTimedOut,
    PoolerRefused,
    StatementCancelled,
    StatementRefused,
    StatementTimedOut,
)
from workflows.clients.databases.interface_types import Feature, Progress, TableSize
from workflows.clients.databases.limits import Limits
from workflows.clients.databases.postgresql_catalog import read_catalog
from workflows.clients.databases.postgresql_sizes import read_sizes
from workflows.clients.databases.session import Row, Session

CONNECT_TIMEOUT_SECONDS = 10
# How soon each side notices that the other's host is dead: until the server has, the schema stays locked.
ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
MIN_VERSION = 140_000

_HELLO = """SELECT pg_backend_pid(),
    (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()),
    current_setting('server_version_num')::int, pg_is_in_recovery(),
    host(inet_server_addr()), inet_server_port(),
    set_config('search_path', quote_ident(%s), false), set_config('standard_conforming_strings', 'on', false),
    set_config('tcp_keepalives_idle', %s, false), set_config('tcp_keepalives_interval', %s, false),
    set_config('tcp_keepalives_count', %s, false), set_config('tcp_user_timeout', %s, false)"""
_LOST = frozenset({"57P01", "57P02", "57P03", "25P03"})
# A worker that is paused in the middle of a script keeps its locks; whoever takes over needs them.
_IDLE_MS = 60_000
_LOCKS = frozenset({"55P03", "40P01"})
Value = TypeVar("Value")


class PostgresSession(Session):
    """A session in one schema."""

    engine = "postgresql"

    def __init__(
        self, address: DatabaseAddress, connection: psycopg.AsyncConnection[Row], hello: Sequence[Any]
    ) -> None:
        self.address = address
        self._connection = connection
        self._pid, self._backend_start, self.version = int(hello[0]), str(hello[1]), int(hello[2])
        self._limits = Limits(0, 0)
        self.server = address.shown()

    @classmethod
    async def connect(cls, address: DatabaseAddress) -> PostgresSession:
        """Connect, and make sure that this is the server itself and that it takes writes."""
        connection = await _connect(address)
        try:
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(_HELLO, (address.schema, *map(str, ALIVE.values())))
                hello = await cursor.fetchone()
            assert hello is not None  # noqa: S101 - a SELECT of values has a row
            _check_server(address, connection, hello)
        except psycopg.Error as error:
            await connection.close()
            raise DatabaseUnreachable(f"{address.shown()} drops the connection: {_said(error)}") from error
        except BaseException:
            await connection.close()
            raise
        return cls(address, connection, hello)

    async def execute(self, text: str, parameters: Sequence[object] = ()) -> list[Row]:
        return await self._asked(self._execute(text, parameters))

    async def execute_counted(self, text: str, parameters: Sequence[object]) -> int:
        return await self._asked(self._execute_counted(text, parameters))

    async def begin(self, limits: Limits | None = None) -> None:
        await self.execute("BEGIN")
        if limits is not None:
            await self.execute(
                "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                (str(limits.lock_timeout_ms), str(limits.statement_timeout_ms), str(_IDLE_MS)),
            )

    async def commit(self) -> None:
        await self.execute("COMMIT")

    async def rollback(self) -> None:
        if not self._connection.closed:
            try:
                await self.execute("ROLLBACK")
            except DatabaseUnreachable:
                return  # the server rolls back what has lost its client

    async def run_alone(self, text: str, limits: Limits) -> None:
        await self._set_limits(limits)
        try:
            await self.execute(text)
        finally:
            if not self._connection.closed:
                await self._set_limits(Limits(0, 0))

    async def try_lock(self) -> bool:
        ((is_taken,),) = await self.execute("SELECT pg_try_advisory_lock(%s)", (self._lock_key(),))
        return bool(is_taken)

    async def lock_holder(self) -> str:
        key = self._lock_key() & 0xFFFFFFFFFFFFFFFF
        rows = await self.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = %s AND objid::bigint = %s",
            (key >> 32, key & 0xFFFFFFFF),
        )
        return f"process {rows[0][0]} of the server" if rows else ""

    def supports(self, feature: Feature) -> bool:
        return feature in Feature  # every version that connects has them all

    def version_text(self) -> str:
        return f"{self.version // 10_000}.{self.version % 10_000}"

    async def catalog(self) -> Catalog:
        return await read_catalog(self.execute, self.address.schema)

    async def table_sizes(self) -> list[TableSize]:
        return await read_sizes(self.execute, self.address.schema)

    def runs_in_transaction(self, statement: Statement) -> bool:
        return not statement.is_alone

    async def prepare_again(self, statement: Statement, progress: Progress, limits: Limits) -> bool:
        """Only concurrent work on indexes leaves traces: an index that is there and marked invalid."""
        name = index_name(statement.words)
        if name is None:
            return False  # VACUUM and its like change nothing that running them again would not
        is_valid = await self._index_state(name)
        if statement.begins("CREATE"):
            if is_valid is False:
                await self._drop_index(name, limits)
            return is_valid is True and progress.begun
        if statement.begins("DROP"):
            return is_valid is None and progress.begun
        await self.clean_up(statement, limits)
        return False

    async def clean_up(self, statement: Statement, limits: Limits) -> None:
        """Drop the invalid index that a failed concurrent build left, and what a failed rebuild left beside it."""
        name = index_name(statement.words)
        if name is None or statement.begins("DROP"):
            return
        names = [name] if statement.begins("CREATE") else await self._rebuilt_beside(name)
        for one in names:
            if await self._index_state(one) is False:
                await self._drop_index(one, limits)

    async def close(self) -> None:
        await self._connection.close()

    async def _cancel_statement(self) -> None:
        async with await _connect(self.address) as other:
            await other.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE pid = %s AND backend_start = %s::timestamptz",
                (self._pid, self._backend_start),
            )

    async def _index_state(self, name: str) -> bool | None:
        """Whether the index is valid; None when there is none."""
        rows = await self.execute(
            "SELECT i.indisvalid AND i.indisready FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE c.relname = %s AND c.relnamespace = quote_ident(%s)::regnamespace",
            (name, self.address.schema),
        )
        return bool(rows[0][0]) if rows else None

    async def _rebuilt_beside(self, name: str) -> list[str]:
        rows = await self.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE NOT i.indisvalid"
            " AND c.relnamespace = quote_ident(%s)::regnamespace AND c.relname ~ '_cc(new|old)[0-9]*$'"
            " AND starts_with(c.relname, left(%s, 50))",
            (self.address.schema, name),
        )
        return [str(row[0]) for row in rows]

    async def _drop_index(self, name: str, limits: Limits) -> None:
        drop = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(self.address.schema, name))
        await self.run_alone(drop.as_string(None), limits)

    async def _set_limits(self, limits: Limits) -> None:
        if limits != self._limits:
            await self.execute(
                "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
                (str(limits.lock_timeout_ms), str(limits.statement_timeout_ms)),
            )
            self._limits = limits

    def _lock_key(self) -> int:
        """A signed 64-bit number for the schema; the server keeps databases apart."""
        digest = hashlib.sha256(f"adx-migrations:{self.address.schema}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    async def _execute(self, text: str, parameters: Sequence[object]) -> list[Row]:
        # Binary results mean the extended protocol, in which the server refuses a second statement in the text.
        async with self._connection.cursor(binary=True) as cursor:
            await cursor.execute(text, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def _execute_counted(self, text: str, parameters: Sequence[object]) -> int:
        async with self._connection.cursor(binary=True) as cursor:
            await cursor.execute(text, parameters)
            return max(cursor.rowcount, 0)

    async def _asked(self, running: Awaitable[Value]) -> Value:
        try:
            return await self.guarded(running)
        except psycopg.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> Exception:
        code = error.sqlstate or ""
        if self._connection.closed or self._connection.broken or code in _LOST or not code:
            return DatabaseUnreachable(f"the connection to {self.server} was lost", next_step="run it again")
        if code in _LOCKS:
            return LockTimedOut(_said(error))
        if code == "57014":
            is_ours = "statement timeout" in _said(error)
            return StatementTimedOut(_said(error)) if is_ours else StatementCancelled(_said(error))
        return StatementRefused(f"{_said(error)} (SQLSTATE {code})", code, next_step="correct the script")


def _check_server(address: DatabaseAddress, connection: psycopg.AsyncConnection[Row], hello: Sequence[Any]) -> None:
    pid, _, version, is_standby, server_host, server_port = hello[:6]
    if pid != connection.info.backend_pid:
        behind = f"; behind it is {server_host}:{server_port}" if server_host else ""
        raise PoolerRefused(
            f"{address.shown()} is a pooler (PgBouncer or the like), not the server{behind}",
            next_step="name the server's own address for migrations",
        )
    if is_standby:
        raise DatabaseUnreachable(f"{address.shown()} is a standby and takes no writes", next_step="name the primary")
    if version < MIN_VERSION:
        raise StatementRefused(
            f"{address.shown()} is PostgreSQL {version // 10_000}", "version", next_step="use PostgreSQL 14 or later"
        )


async def _connect(address: DatabaseAddress) -> psycopg.AsyncConnection[Row]:
    text = make_conninfo(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password or None,
        dbname=address.database,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name="adx-migrations",
        **ALIVE,  # type: ignore[arg-type] # whole numbers are taken, too
        **dict(address.options),
    )
    try:
        return await psycopg.AsyncConnection.connect(text, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise DatabaseUnreachable(
            f"{address.shown()} cannot be reached as {address.user}: {type(error).__name__}",
            next_step="look whether the server runs, and at user and password",
        ) from error


def _said(error: psycopg.Error) -> str:
    """What the server says, without values of rows: those stand in the detail, and in messages of class 22."""
    code = error.sqlstate or ""
    if code.startswith("22"):
        return f"a value does not fit ({type(error).__name__})"
    return error.diag.message_primary or type(error).__name__
