"""One database as the rest of ADX sees it, whatever runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from policies.migrations.catalog import Catalog
from policies.migrations.history import SchemaVersion
from policies.migrations.model import Direction, Migration
from workflows.clients.databases import record
from workflows.clients.databases.errors import DatabaseUnreachable, MigrationLocked
from workflows.clients.databases.executor import Execution
from workflows.clients.databases.interface_types import Applied, Feature, Observer, TableSize
from workflows.clients.databases.limits import Limits, LockPatience
from workflows.clients.databases.session import Row, Session

LOCK_POLL_SECONDS = 0.25


class Database:
    """A client of one database and schema; one task uses it at a time.

    From its first migration on it holds the schema's lock, until it is closed
    or its session ends. Methods raise what ``errors`` draws.
    """

    def __init__(self, connect: Callable[[], Awaitable[Session]], patience: LockPatience) -> None:
        self._connect = connect
        self._session: Session | None = None
        self._is_locked = False
        self.patience = patience

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the session, and with it the lock."""
        session, self._session, self._is_locked = self._session, None, False
        if session is not None:
            await session.close()

    async def session(self) -> Session:
        """The open session; connects where there is none."""
        if self._session is None:
            self._session = await self._connect()
        return self._session

    async def execute_query(self, text: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of one statement, which is its own transaction; ``%s`` stands for parameters."""
        async with self._giving_up() as session:
            return await session.execute(text, parameters)

    @asynccontextmanager
    async def begin_transaction(self, limits: Limits | None = None) -> AsyncIterator[Session]:
        """A transaction: committed at the end of the block, rolled back when the block raises."""
        async with self._giving_up() as session:
            await session.begin(limits)
            try:
                yield session
            except BaseException:
                await session.rollback()
                raise
            await session.commit()

    async def get_schema_version(self) -> SchemaVersion:
        """What the schema records about its migrations."""
        async with self._giving_up() as session:
            return await record.read(session)

    async def get_schema_versions(self, places: Sequence[str]) -> dict[str, SchemaVersion]:
        """The same of other schemas of the database, or of other databases of a MySQL server, that record any."""
        async with self._giving_up() as session:
            return await record.read_many(session, places)

    async def apply_migration(
        self, migration: Migration, direction: Direction = "up", observer: Observer | None = None
    ) -> Applied:
        """Apply one migration, or take it back. Asking again after any end, however it came, does what is left."""
        try:
            return await Execution(self, migration, direction, observer).run()
        except (DatabaseUnreachable, asyncio.CancelledError):
            await self.close()
            raise

    async def supports_feature(self, feature: Feature) -> bool:
        """Whether the server has ``feature``."""
        async with self._giving_up() as session:
            return session.supports(feature)

    async def server_version(self) -> str:
        """``14.0``: major and minor version of the server."""
        async with self._giving_up() as session:
            return session.version_text()

    async def catalog(self) -> Catalog:
        """What the schema holds, without ADX's own tables."""
        async with self._giving_up() as session:
            return await session.catalog()

    async def table_sizes(self) -> list[TableSize]:
        """Rows and bytes of every table, estimated."""
        async with self._giving_up() as session:
            return await session.table_sizes()

    async def locked(self) -> Session:
        """The session, holding the schema's lock. Raises MigrationLocked after ``patience.migration_lock_seconds``."""
        session = await self.session()
        waited_seconds = 0.0
        while not self._is_locked:
            self._is_locked = await session.try_lock()
            if self._is_locked:
                break
            if waited_seconds >= self.patience.migration_lock_seconds:
                holder = await session.lock_holder()
                raise MigrationLocked(
                    f"another process migrates {session.server}{f' ({holder})' if holder else ''}",
                    next_step="wait until it has ended; the lock is given back when its connection ends",
                )
            await asyncio.sleep(LOCK_POLL_SECONDS)
            waited_seconds += LOCK_POLL_SECONDS
        return session

    @asynccontextmanager
    async def _giving_up(self) -> AsyncIterator[Session]:
        """The session; given up when its connection or its task was lost."""
        session = await self.session()
        try:
            yield session
        except (DatabaseUnreachable, asyncio.CancelledError):
            await self.close()
            raise
