"""Transactions of ADX's own databases through SQLAlchemy: short, bounded, and with the errors of whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

# Less than whoever waits for a row's lock does: a process that is paused in the middle of a transaction keeps its
# locks, and whoever takes over needs them. No transaction of ours waits for anything but the database.
IDLE_SECONDS = 15
POOL_SIZE = 10

Translated = Callable[[], AbstractAsyncContextManager[None]]


def end_idle(engine: AsyncEngine) -> AsyncEngine:
    """Have PostgreSQL end, with its connection, a transaction of which nothing is heard for ``IDLE_SECONDS``.

    Behind a transaction pooler a setting of a session reaches some of its connections only: set its own limit, too
    (PgBouncer's ``idle_transaction_timeout``).
    """

    @event.listens_for(engine.sync_engine, "connect")
    def limit(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000}")
        cursor.close()
        connection.commit()

    return engine


class Transactions:
    """``timeout_seconds`` bounds each, from taking a connection to the commit's answer.

    ``translated`` raises the owner's errors instead of those of SQLAlchemy and the drivers.
    """

    def __init__(self, engine: AsyncEngine, timeout_seconds: float, translated: Translated) -> None:
        self._engine, self._timeout_seconds, self._translated = engine, timeout_seconds, translated

    @asynccontextmanager
    async def transaction(self, *, timeout_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back on any error. Raises the owner's errors."""
        limit_seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        async with self._translated(), asyncio.timeout(limit_seconds), self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Give back all connections."""
        await self._engine.dispose()
