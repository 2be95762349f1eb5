"""MySQL and MariaDB through PyMySQL, one thread for each session: the driver blocks, and ends when the server does.

PyMySQL does not switch on several statements in one text, so the server refuses
a second one. The session's SQL mode is set to what scripts are read by.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import pymysql
from pymysql.constants import CLIENT

from policies.migrations.catalog import Catalog
from policies.migrations.model import Statement
from workflows.clients.databases.address import DatabaseAddress
from workflows.clients.databases.errors import (
    DatabaseUnreachable,
    LockTimedOut,
    StatementCancelled,
    StatementRefused,
    StatementTimedOut,
    StepUncertain,
)
from workflows.clients.databases.interface_types import Feature, Progress, TableSize
from workflows.clients.databases.limits import Limits
from workflows.clients.databases.mysql_catalog import read_catalog
from workflows.clients.databases.session import Row, Session

CONNECT_TIMEOUT_SECONDS = 10
# How soon a server whose host is dead is noticed, where the system has these options: seconds, times, milliseconds.
_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
NO_LIMIT_SECONDS = 31_536_000
SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

_LOCKS = frozenset({1205, 1213})  # ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK
_LOST = frozenset({0, 1053, 1927, 2006, 2013, 2014, 2055, 4031})
_TOO_LONG = frozenset({1969, 3024})  # ER_STATEMENT_TIMEOUT of MariaDB, ER_QUERY_TIMEOUT of MySQL
_INTERRUPTED = 1317
# Errors whose message quotes a value of a row.
_WITH_VALUES = frozenset({1062, 1265, 1292, 1366, 1406, 1411, 1525, 1690, 4025})
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'")
# What shares a transaction; everything else commits it by itself ("Statements That Cause an Implicit Commit").
_IN_TRANSACTION = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH", "DO", "VALUES"})
_CHANGES_SCHEMA = frozenset({"CREATE", "ALTER", "DROP", "RENAME", "GRANT", "REVOKE"})
_HARMLESS_AGAIN = frozenset({"ANALYZE", "OPTIMIZE", "CHECK", "TRUNCATE"})

Value = TypeVar("Value")


class MySqlSession(Session):
    """A session in one database."""

    engine = "mysql"

    def __init__(self, address: DatabaseAddress, thread: ThreadPoolExecutor, connection: Any) -> None:
        self.address = address
        self._thread = thread
        self._connection = connection
        self._id = int(connection.thread_id())
        self._limits = Limits(0, 0)
        self.is_mariadb, self.version = _version_of(connection.get_server_info())
        self.server = address.shown()

    @classmethod
    async def connect(cls, address: DatabaseAddress) -> MySqlSession:
        """Connect, and make sure that the server takes writes and changes schemas atomically."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="adx-mysql")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, address)
            session = cls(address, thread, connection)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        try:
            await session._check_server()
        except BaseException:
            await session.close()
            raise
        return session

    async def execute(self, text: str, parameters: Sequence[object] = ()) -> list[Row]:
        return await self._asked(self._in_thread(lambda: self._execute(text, parameters)), self._limit_seconds)

    async def execute_counted(self, text: str, parameters: Sequence[object]) -> int:
        return await self._asked(self._in_thread(lambda: self._execute_counted(text, parameters)), self._limit_seconds)

    async def begin(self, limits: Limits | None = None) -> None:
        await self._set_limits(limits or Limits(0, 0))
        await self.execute("START TRANSACTION")

    async def commit(self) -> None:
        await self._unlimited("COMMIT")  # of one that was ended nobody could say whether it was done

    async def rollback(self) -> None:
        with suppress(DatabaseUnreachable):  # the server rolls back what has lost its client
            await self._unlimited("ROLLBACK")

    async def run_alone(self, text: str, limits: Limits) -> None:
        await self._set_limits(limits)
        seconds = limits.statement_timeout_ms / 1000 or None
        await self._asked(self._in_thread(lambda: self._execute(text, ())), seconds)

    async def try_lock(self) -> bool:
        ((is_taken,),) = await self.execute("SELECT GET_LOCK(%s, 0)", (self._lock_name(),))
        return bool(is_taken == 1)

    async def lock_holder(self) -> str:
        ((holder,),) = await self.execute("SELECT IS_USED_LOCK(%s)", (self._lock_name(),))
        return f"connection {holder} of the server" if holder is not None else ""

    def supports(self, feature: Feature) -> bool:
        return feature in (Feature.CONCURRENT_INDEX, Feature.INSTANT_ADD_COLUMN, Feature.ADVISORY_LOCKS)

    def version_text(self) -> str:
        return ".".join(map(str, self.version[:2]))

    async def catalog(self) -> Catalog:
        await self._set_limits(Limits(0, 0))  # those of a script are for its statements
        return await read_catalog(self.execute, self.address.database)

    async def table_sizes(self) -> list[TableSize]:
        rows = await self.execute(
            "SELECT table_name, coalesce(table_rows, 0), coalesce(data_length + index_length, 0)"
            " FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY 1",
            (self.address.database,),
        )
        return [TableSize(table=str(name), rows=int(rows), bytes=int(size)) for name, rows, size in rows]

    def runs_in_transaction(self, statement: Statement) -> bool:
        return statement.words[0] in _IN_TRANSACTION

    async def prepare_again(self, statement: Statement, progress: Progress, _limits: Limits) -> bool:
        """A change of the schema is done wholly or not at all: whether it was, the catalog before and now tells."""
        if not progress.begun or statement.words[0] in _HARMLESS_AGAIN:
            return False
        if statement.words[0] not in _CHANGES_SCHEMA:
            raise StepUncertain(
                f"a crash fell into {statement.words[0]}, and nothing tells whether it was done",
                next_step="look at the data, then correct the row of adx_migration_steps",
            )
        return (await self.catalog()).digest() != progress.catalog_before

    async def clean_up(self, _statement: Statement, _limits: Limits) -> None:
        """Nothing is left: changes of a schema are atomic."""

    async def close(self) -> None:
        # Closing the socket ends what the thread may still wait for.
        with suppress(Exception):
            self._connection._force_close()
        self._thread.shutdown(wait=False)

    async def _cancel_statement(self) -> None:
        await asyncio.to_thread(_kill_query, self.address, self._id)

    async def _check_server(self) -> None:
        least = (10, 6) if self.is_mariadb else (8, 0)
        if self.version[:2] < least:
            name = "MariaDB" if self.is_mariadb else "MySQL"
            raise StatementRefused(
                f"{self.server} is {name} {'.'.join(map(str, self.version))}, which can leave a change half done",
                "version",
                next_step=f"use {name} {'.'.join(map(str, least))} or later",
            )
        ((is_read_only,),) = await self.execute("SELECT @@global.read_only")
        if is_read_only in (1, "ON"):
            raise DatabaseUnreachable(f"{self.server} takes no writes", next_step="name the primary")

    async def _set_limits(self, limits: Limits) -> None:
        if limits == self._limits:
            return
        lock_seconds = math.ceil(limits.lock_timeout_ms / 1000) or NO_LIMIT_SECONDS
        await self._unlimited(
            "SET SESSION lock_wait_timeout = %s, innodb_lock_wait_timeout = %s", (lock_seconds, lock_seconds)
        )
        if self.is_mariadb:  # so that the limit holds even when this process has died
            await self._unlimited("SET SESSION max_statement_time = %s", (limits.statement_timeout_ms / 1000,))
        self._limits = limits

    @property
    def _limit_seconds(self) -> float | None:
        """How long is waited for a statement before it is ended: MySQL, unlike MariaDB, limits only SELECT itself."""
        return None if self.is_mariadb else self._limits.statement_timeout_ms / 1000 or None

    async def _unlimited(self, text: str, parameters: Sequence[object] = ()) -> None:
        await self._asked(self._in_thread(lambda: self._execute(text, parameters)))

    def _lock_name(self) -> str:
        """At most 64 characters, the same for every process; the server has one space of names for all databases."""
        return "adx-migrations:" + hashlib.sha256(self.address.database.encode()).hexdigest()[:40]

    def _execute(self, text: str, parameters: Sequence[object]) -> list[Row]:
        with self._connection.cursor() as cursor:
            cursor.execute(text, tuple(parameters) or None)
            return list(cursor.fetchall()) if cursor.description else []

    def _execute_counted(self, text: str, parameters: Sequence[object]) -> int:
        with self._connection.cursor() as cursor:
            return max(int(cursor.execute(text, tuple(parameters))), 0)

    def _in_thread(self, action: Callable[[], Value]) -> Awaitable[Value]:
        return asyncio.get_running_loop().run_in_executor(self._thread, action)

    async def _asked(self, running: Awaitable[Value], timeout_seconds: float | None = None) -> Value:
        try:
            return await self.guarded(running, timeout_seconds)
        except (pymysql.Error, OSError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> Exception:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(error, OSError) or code in _LOST:
            return DatabaseUnreachable(f"the connection to {self.server} was lost", next_step="run it again")
        message = _said(code, str(error.args[1]) if len(error.args) > 1 else type(error).__name__)
        if code in _LOCKS:
            return LockTimedOut(message)
        if code in _TOO_LONG:
            return StatementTimedOut(message)
        if code == _INTERRUPTED:
            return StatementCancelled(message)
        return StatementRefused(f"{message} (error {code})", str(code), next_step="correct the script")


def _connect(address: DatabaseAddress) -> Any:
    certificate = dict(address.options).get("ssl_ca")
    try:
        connection = pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            charset="utf8mb4",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            autocommit=True,
            sql_mode=SQL_MODE,
            client_flag=CLIENT.FOUND_ROWS,
            ssl=ssl.create_default_context(cafile=certificate) if certificate else None,
        )
        for name, value in _ALIVE.items():
            if (option := getattr(socket, name, None)) is not None:
                connection._sock.setsockopt(socket.IPPROTO_TCP, option, value)  # type: ignore[attr-defined]
        return connection
    except (pymysql.Error, OSError) as error:
        raise DatabaseUnreachable(
            f"{address.shown()} cannot be reached as {address.user}: {type(error).__name__}",
            next_step="look whether the server runs, and at user and password",
        ) from error


def _kill_query(address: DatabaseAddress, connection_id: int) -> None:
    other = _connect(address)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"KILL QUERY {connection_id}")
    finally:
        other.close()


def _version_of(text: str) -> tuple[bool, tuple[int, ...]]:
    """Whether it is MariaDB, and its version: ``5.5.5-10.11.6-MariaDB-…`` or ``8.4.2``."""
    is_mariadb = "MariaDB" in text
    numbers = re.findall(r"\d+\.\d+\.\d+", text)
    chosen = numbers[-1] if is_mariadb and numbers else (numbers or ["0.0.0"])[0]
    return is_mariadb, tuple(int(part) for part in chosen.split("."))


def _said(code: int, message: str) -> str:
    """What the server says, without values of rows."""
    return _QUOTED.sub("'…'", message) if code in _WITH_VALUES else message
