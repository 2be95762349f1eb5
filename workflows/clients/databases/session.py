"""One session on one server: what the executor needs, and how a running statement is really cancelled.

A session is used by one task at a time. Whatever interrupts a statement (the
task is cancelled, a limit of ours passes) cancels it on the server through a
second connection and waits until it has ended there; only then is the session
given up, so that nothing goes on behind anybody's back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from policies.migrations.catalog import Catalog
from policies.migrations.model import Statement
from policies.migrations.spec import Engine
from workflows.clients.databases.address import DatabaseAddress
from workflows.clients.databases.errors import StatementTimedOut
from workflows.clients.databases.interface_types import Feature, Progress, TableSize
from workflows.clients.databases.limits import Limits

CANCEL_AGAIN_SECONDS = 0.5
CANCEL_ATTEMPTS = 20

Row = tuple[Any, ...]
Value = TypeVar("Value")


class Session(ABC):
    """A connection with its own transaction and its own lock. Methods raise what ``errors`` draws.

    ``server`` is the address for messages.
    """

    engine: Engine
    address: DatabaseAddress
    server: str

    @abstractmethod
    async def execute(self, text: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows; the server itself refuses more than one."""

    @abstractmethod
    async def execute_counted(self, text: str, parameters: Sequence[object]) -> int:
        """Run one statement that writes; how many rows it found to write."""

    @abstractmethod
    async def begin(self, limits: Limits | None = None) -> None:
        """Begin a transaction with these limits."""

    @abstractmethod
    async def commit(self) -> None:
        """Commit. DatabaseUnreachable means that the outcome is unknown."""

    @abstractmethod
    async def rollback(self) -> None:
        """Roll back; a lost connection has done so already."""

    @abstractmethod
    async def run_alone(self, text: str, limits: Limits) -> None:
        """Run one statement outside a transaction, with these limits."""

    @abstractmethod
    async def try_lock(self) -> bool:
        """Take the lock of this schema, which the server gives back when the session ends."""

    @abstractmethod
    async def lock_holder(self) -> str:
        """Who holds the lock, for messages; empty when that is not known."""

    @abstractmethod
    def supports(self, feature: Feature) -> bool:
        """Whether the server has ``feature``."""

    @abstractmethod
    def version_text(self) -> str:
        """Major and minor version of the server."""

    @abstractmethod
    async def catalog(self) -> Catalog:
        """What the schema holds."""

    @abstractmethod
    async def table_sizes(self) -> list[TableSize]:
        """Rows (estimated) and bytes of every table, from the server's statistics."""

    @abstractmethod
    def runs_in_transaction(self, statement: Statement) -> bool:
        """Whether the statement can be undone with the transaction that it runs in."""

    @abstractmethod
    async def prepare_again(self, statement: Statement, progress: Progress, limits: Limits) -> bool:
        """Before a statement that runs alone: remove what a crash or failure left of it; True when it is wholly done.

        Raises StepUncertain when that cannot be known.
        """

    @abstractmethod
    async def clean_up(self, statement: Statement, limits: Limits) -> None:
        """After a statement that runs alone has failed: remove what it left."""

    @abstractmethod
    async def close(self) -> None:
        """End the session; its lock and an open transaction are gone with it."""

    @abstractmethod
    async def _cancel_statement(self) -> None:
        """Ask the server, through a second connection, to end what this session runs."""

    async def guarded(self, running: Awaitable[Value], timeout_seconds: float | None = None) -> Value:
        """Await a statement; what interrupts the wait ends the statement on the server first."""
        task = asyncio.ensure_future(running)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_seconds)
        except asyncio.CancelledError:
            # Shielded: a second cancellation must not leave the statement running.
            await asyncio.shield(asyncio.ensure_future(self._end(task)))
            raise
        if not done:
            await self._end(task)
            raise StatementTimedOut(f"a statement ran longer than {timeout_seconds:g} s and was ended")
        return task.result()

    async def _end(self, task: asyncio.Future[Any]) -> None:
        """Cancel the statement until it has ended: a request that comes a moment too early is lost."""
        for _ in range(CANCEL_ATTEMPTS):
            with suppress(Exception):
                await self._cancel_statement()
            done, _ = await asyncio.wait({task}, timeout=CANCEL_AGAIN_SECONDS)
            if done:
                task.exception()  # what the statement says to being cancelled is of no interest
                return
        task.cancel()
