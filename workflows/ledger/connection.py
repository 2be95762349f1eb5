"""The ledger's connection: an engine with a small pool, short transactions, the ledger's own errors.

Everything else in this package is functions that take a ``Ledger``. Works
through transaction poolers: no session locks, no server-side prepared
statements, no start-up options.
"""

from __future__ import annotations

import json
from types import TracebackType

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows.clients.transactions import POOL_SIZE, Transactions, end_idle
from workflows.ledger import schema_version
from workflows.ledger.errors import LedgerRefused, translated

CONNECT_TIMEOUT_SECONDS = 5
DEFAULT_TIMEOUT_SECONDS = 30.0
MIGRATION_TIMEOUT_SECONDS = 600.0


def parse_url(url: str) -> URL:
    """``url`` for psycopg 3; ``postgresql://`` is accepted too. Raises LedgerRefused; never repeats the password."""
    if not url:
        raise LedgerRefused("no address of the ledger is set", next_step="set ADX_LEDGER_URL=postgresql+psycopg://…")
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerRefused("ADX_LEDGER_URL is not an address", next_step="use postgresql+psycopg://…") from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise LedgerRefused(
            f"the ledger is PostgreSQL by psycopg, not {parsed.drivername!r}", next_step="use postgresql+psycopg://…"
        )
    return parsed.set(drivername="postgresql+psycopg")


def _to_json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise LedgerRefused(f"the ledger keeps JSON, and a value is none ({type(error).__name__})") from None


def create_engine(url: str, pool_size: int) -> AsyncEngine:
    """An engine that hides parameters in errors, notices dead connections and works behind poolers."""
    engine = create_async_engine(
        parse_url(url),
        pool_size=pool_size,
        max_overflow=0,  # what overflows would be connected anew for every transaction
        pool_timeout=DEFAULT_TIMEOUT_SECONDS,
        pool_pre_ping=True,  # a connection that died while idle is replaced before it is used
        hide_parameters=True,
        json_serializer=_to_json,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "prepare_threshold": None,
            "application_name": "adx",
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    return end_idle(engine)


class Ledger(Transactions):
    """An open ledger. One per process and event loop; close it at the end.

    ``timeout_seconds`` bounds every transaction, from taking a connection to
    the commit's answer. Raises the errors of ``workflows.ledger.errors``.
    """

    def __init__(
        self, url: str, *, pool_size: int = POOL_SIZE, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> None:
        super().__init__(create_engine(url, pool_size), timeout_seconds, translated)

    @classmethod
    async def open(
        cls, url: str, *, pool_size: int = POOL_SIZE, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> Ledger:
        """A ledger that has answered once. Raises LedgerUnreachable."""
        ledger = cls(url, pool_size=pool_size, timeout_seconds=timeout_seconds)
        try:
            await ledger.ping()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def ping(self) -> None:
        """Return when PostgreSQL answers; for readiness checks. Raises LedgerUnreachable or LedgerTimedOut."""
        async with self.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    async def migrate(self) -> str:
        """Bring the tables to this version; safe to call from many processes at once. Returns the version.

        Raises LedgerTooNew when a newer ADX has migrated them already.
        """
        if await self.version() == schema_version.HEAD:
            return schema_version.HEAD
        # Alembic costs 10 MB and 50 ms: only loaded when there is something to migrate.
        from workflows.ledger import migrator  # noqa: PLC0415

        async with self.transaction(timeout_seconds=MIGRATION_TIMEOUT_SECONDS) as connection:
            return await connection.run_sync(migrator.upgrade)

    async def version(self) -> str | None:
        """The version of the tables, None where there are none."""
        async with self.transaction() as connection:
            found = await connection.scalar(text("SELECT to_regclass('adx_ledger_version') IS NOT NULL"))
            if not found:
                return None
            version: str | None = await connection.scalar(text("SELECT version_num FROM adx_ledger_version"))
            return version

    async def __aenter__(self) -> Ledger:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
