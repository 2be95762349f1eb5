"""Transactions of ADX's own databases through SQLAlchemy: short, bounded, and with the errors of whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Translated = Callable[[], AbstractAsyncContextManager[None]]


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
