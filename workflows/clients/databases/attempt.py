"""What every way of running a script shares: patience with locks, commits whose answer is lost, places of errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from policies.errors import AdxError
from policies.migrations.history import AppliedMigration, SchemaVersion
from policies.migrations.model import Direction, Migration, Script, Statement
from workflows.clients.databases import batching_record, record
from workflows.clients.databases.errors import (
    DatabaseUnreachable,
    LockTimedOut,
    MigrationLocked,
    NotInOrder,
    OutcomeUnknown,
    StatementRefused,
)
from workflows.clients.databases.interface_types import BatchesDone, Observer, StepDone
from workflows.clients.databases.limits import Limits
from workflows.clients.databases.session import Session

if TYPE_CHECKING:
    from workflows.clients.databases.interface import Database

ASK_AGAIN_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)

Value = TypeVar("Value")


class FoundDone(Exception):
    """A commit whose answer was lost had been done."""


class Attempt:
    """One migration in one direction, at one database."""

    def __init__(
        self, database: Database, migration: Migration, direction: Direction, observer: Observer | None
    ) -> None:
        script = migration.script(direction)
        if script is None:
            raise NotInOrder(
                f"{migration.id} is irreversible: {migration.up.header.irreversible}",
                next_step="restore the backup that was taken before",
            )
        self.database = database
        self.migration = migration
        self.direction: Direction = direction
        self.script: Script = script
        self.limits = Limits.of(script.header)
        self.lock_timeouts = 0
        self._observer = observer
        self._started = time.monotonic()

    def is_done(self, found: SchemaVersion) -> bool:
        """Whether the record says so."""
        row = row_of(found, self.migration.version)
        if self.direction == "down":
            return row is None and found.unfinished is None and found.version < self.migration.version
        return row is not None and row.checksum == self.migration.checksum

    def is_begun(self, found: SchemaVersion) -> bool:
        """Whether the record says that it is half done in this direction."""
        state = "applying" if self.direction == "up" else "reverting"
        return found.unfinished is not None and found.unfinished.state == state

    async def is_recorded_begun(self, session: Session) -> bool:
        """The same, asked anew."""
        return self.is_begun(await record.read(session))

    async def finish(self, session: Session) -> None:
        """Write the end within a transaction, and nothing of the way there."""
        await record.write_done(session, self.migration, self.direction, self.duration_ms())
        if self.has_batches:
            await batching_record.clear(session, self.migration.version)

    @property
    def has_batches(self) -> bool:
        """Whether a script of the migration, in either direction, runs batch by batch."""
        scripts = (self.migration.up, self.migration.down)
        return any(bool(one.header.batch) for one in scripts if one is not None)

    async def commit(self, session: Session, is_done: Callable[[Session], Awaitable[bool]]) -> None:
        """Commit; when the answer is lost, ask the database with a session of its own whether it was done.

        Raises FoundDone when it was: the session is another one then.
        """
        try:
            await session.commit()
        except DatabaseUnreachable as lost:
            if await self._ask(is_done):
                raise FoundDone from lost
            raise DatabaseUnreachable(
                f"the connection to {session.server} was lost during the commit; the server says it was not done",
                next_step="run it again",
            ) from lost

    async def patiently(self, action: Callable[[], Awaitable[Value]]) -> Value:
        """Do ``action``, again after lock time-outs."""
        delays = self.database.patience.delays_seconds()
        while True:
            try:
                return await action()
            except LockTimedOut as error:
                self.lock_timeouts += 1
                delay_seconds = next(delays, None)
                if delay_seconds is None:
                    raise LockTimedOut(
                        f"{error} ({self.lock_timeouts} attempts)",
                        next_step="find the transaction that holds the lock, or run it at a quieter time",
                    ) from error
                await asyncio.sleep(delay_seconds)

    async def placed(self, statement: Statement, running: Awaitable[Value], so_far: str = "") -> Value:
        """Errors of ``running`` name the file and line of ``statement``, and what was done before it (``so_far``)."""
        place, end = f"{self.script.file}:{statement.line}", f" ({so_far})" if so_far else ""
        try:
            return await running
        except StatementRefused as error:
            raise StatementRefused(f"{place}: {error}{end}", error.code, next_step=error.next_step) from error
        except DatabaseUnreachable:
            raise
        except AdxError as error:
            raise type(error)(f"{place}: {error}{end}", next_step=error.next_step) from error

    def check_text(self, statement: Statement, checksum: str) -> None:
        """Raise NotInOrder when the statement was begun with another text."""
        if checksum != statement.checksum:
            raise NotInOrder(
                f"{self.script.file}:{statement.line}: this statement was begun with another text",
                next_step="bring the script back as it was begun, finish it, then write a new one",
            )

    def tell(self, step: int, *, was_done: bool = False, batches: BatchesDone | None = None) -> None:
        """Tell whoever watches."""
        if self._observer is not None:
            told = StepDone(
                migration=self.migration.id,
                direction=self.direction,
                step=step,
                steps=len(self.script.statements),
                was_done=was_done,
                batches=batches,
            )
            self._observer(told)

    def duration_ms(self) -> int:
        """Since this attempt began."""
        return round((time.monotonic() - self._started) * 1000)

    async def _ask(self, is_done: Callable[[Session], Awaitable[bool]]) -> bool:
        """The record as it is once the lost session has really ended: the lock is free only then."""
        for delay_seconds in ASK_AGAIN_SECONDS:
            await asyncio.sleep(delay_seconds)
            await self.database.close()
            with suppress(DatabaseUnreachable, MigrationLocked):
                return await is_done(await self.database.locked())
        raise OutcomeUnknown(
            f"the connection was lost while {self.migration.id} was committed, and the server does not answer",
            next_step="run it again when the server is back: it is asked first whether it was done",
        )


def row_of(found: SchemaVersion, version: int) -> AppliedMigration | None:
    """The row of a version that is wholly applied."""
    return next((one for one in found.applied if one.version == version), None)
