"""Engines for PostgreSQL (psycopg) and MariaDB/MySQL (aiomysql) that behave alike.

Both read what is committed (MariaDB's default would show a writer an old
snapshot), refuse what does not fit instead of cutting it, and hide values in errors.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from workflows.clients import transactions
from workflows.clients.transactions import POOL_SIZE, Transactions, end_idle
from workflows.configuration.errors import StoreRefused
from workflows.configuration.repository.driver_errors import translated

CONNECT_TIMEOUT_SECONDS = 5
DEFAULT_TIMEOUT_SECONDS = 30.0
_FORMS = "postgresql://user@host/database or mysql://user@host/database"
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+aiomysql",
    "mysql+aiomysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
    "mariadb+aiomysql": "mysql+aiomysql",
}
_STRICT = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION')"


def parse_url(url: str) -> URL:
    """``url`` with the driver that ADX uses. Raises StoreRefused; never repeats the password."""
    if not url:
        raise StoreRefused("no database of the configuration is set", next_step=f"set ADX_CONFIGURATION_URL={_FORMS}")
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreRefused("ADX_CONFIGURATION_URL is not an address", next_step=f"use {_FORMS}") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise StoreRefused(
            f"configuration is kept in PostgreSQL or MariaDB, not in {parsed.drivername!r}", next_step=f"use {_FORMS}"
        )
    return parsed.set(drivername=driver)


def create_engine(url: str, pool_size: int) -> AsyncEngine:
    """An engine for ``url``. Contacts nobody. Raises StoreRefused."""
    parsed = parse_url(url)
    is_postgres = parsed.drivername.startswith("postgresql")
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,  # what overflows would be connected anew for every transaction
        pool_timeout=DEFAULT_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args=_postgres_arguments() if is_postgres else _mysql_arguments(),
    )
    return end_idle(engine) if is_postgres else engine


class Connections(Transactions):
    """An engine and how long a transaction may take, from taking a connection to the commit's answer."""

    def __init__(
        self, url: str, *, pool_size: int = POOL_SIZE, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> None:
        super().__init__(create_engine(url, pool_size), timeout_seconds, translated)


def _postgres_arguments() -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "prepare_threshold": None,
        "application_name": "adx-configuration",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }


def _mysql_arguments() -> dict[str, Any]:
    session = f"{_STRICT} /*M!, idle_transaction_timeout = {transactions.IDLE_SECONDS} */"  # MySQL has no such limit
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "charset": "utf8mb4", "init_command": session}
