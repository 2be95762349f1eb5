"""One migration, applied or taken back, so that every end leaves the schema known.

Where the server can, all statements and the record are one transaction. Where
it cannot, each statement is a step with a record of its own:

* what can be undone shares a transaction with its record, so it is done once;
* what cannot is recorded as begun, run, and recorded as done. When a crash fell
  in between, the session asks the server whether it was done.

The session holds the schema's lock all the time, on the very connection that
does the work: whoever loses the connection has lost both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from policies.errors import AdxError
from policies.migrations.history import AppliedMigration, SchemaVersion
from policies.migrations.model import Direction, Migration, Script, Statement
from workflows.clients.databases import record
from workflows.clients.databases.errors import (
    DatabaseUnreachable,
    LockTimedOut,
    MigrationLocked,
    NotInOrder,
    OutcomeUnknown,
    StatementRefused,
)
from workflows.clients.databases.interface_types import Applied, Feature, Observer, Progress, StepDone
from workflows.clients.databases.limits import Limits
from workflows.clients.databases.session import Session

if TYPE_CHECKING:
    from workflows.clients.databases.interface import Database

ASK_AGAIN_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)

Value = TypeVar("Value")


class Execution:
    """One call of ``apply_migration``."""

    def __init__(
        self, database: Database, migration: Migration, direction: Direction, observer: Observer | None
    ) -> None:
        script = migration.script(direction)
        if script is None:
            raise NotInOrder(
                f"{migration.id} is irreversible: {migration.up.header.irreversible}",
                next_step="restore the backup that was taken before",
            )
        self._database = database
        self._migration = migration
        self._direction: Direction = direction
        self._script: Script = script
        self._limits = Limits.of(script.header)
        self._observer = observer
        self._started = time.monotonic()
        self._lock_timeouts = 0

    async def run(self) -> Applied:
        """Do what is left to do. Raises what ``errors`` draws."""
        try:
            return await self._run()
        except _FoundDone:
            # The lost session is replaced: what is left, if anything, is done on the new one.
            again = await self._run()
            return msgspec.structs.replace(again, outcome="found-applied")

    async def _run(self) -> Applied:
        session = await self._database.locked()
        found = await record.read(session)
        if self._is_done(found):
            return self._applied("already")
        self._check_order(found)
        await record.ensure_tables(session)
        if self._is_one_transaction(session):
            await self._patiently(lambda: self._in_one_transaction(session))
        else:
            await self._step_by_step(session, is_begun=found.unfinished is not None)
        return self._applied("applied")

    def _is_one_transaction(self, session: Session) -> bool:
        is_alone = any(one.is_alone for one in self._script.statements)
        is_wanted = self._script.header.transaction == "auto"
        return session.supports(Feature.TRANSACTIONAL_DDL) and is_wanted and not is_alone

    async def _in_one_transaction(self, session: Session) -> None:
        count = len(self._script.statements)
        await session.begin(self._limits)
        try:
            for number, statement in enumerate(self._script.statements, start=1):
                await self._placed(statement, session.execute(statement.text))
                self._tell(number, count)
            await record.write_done(session, self._migration, self._direction, self._duration_ms())
        except BaseException:
            await session.rollback()
            raise
        await self._commit(session, lambda found, _: self._is_done(found))

    async def _step_by_step(self, session: Session, *, is_begun: bool) -> None:
        if not is_begun:
            await session.begin()
            await record.write_begun(session, self._migration, self._direction)
            await self._commit(session, lambda found, _: found.unfinished is not None)
        known = await record.steps(session, self._migration.version, self._direction)
        count = len(self._script.statements)
        for number, statement in enumerate(self._script.statements, start=1):
            row = known.get(number)
            if row is not None and row.checksum != statement.checksum:
                raise NotInOrder(
                    f"{self._script.file}:{statement.line}: this statement was begun with another text",
                    next_step="bring the script back as it was begun, finish it, then write a new one",
                )
            is_known = row is not None and row.is_done
            if not is_known:
                await self._patiently(lambda n=number, s=statement, r=row: self._step(session, n, s, r))  # type: ignore[misc] # bound at once
            self._tell(number, count, was_done=is_known)
        await session.begin()
        await record.write_done(session, self._migration, self._direction, self._duration_ms())
        await self._commit(session, lambda found, _: self._is_done(found))

    async def _step(self, session: Session, number: int, statement: Statement, row: record.StepRow | None) -> None:
        if session.runs_in_transaction(statement):
            await session.begin(self._limits)
            try:
                await self._placed(statement, session.execute(statement.text))
                await self._insert_step(session, number, statement, is_done=True)
            except BaseException:
                await session.rollback()
                raise
            await self._commit(session, lambda _, done: number in done)
            return
        before = row.catalog_before if row is not None else ""
        progress = Progress(begun=row is not None, catalog_before=before)
        if not await self._placed(statement, session.prepare_again(statement, progress, self._limits)):
            if not await self._is_begun(session, number):
                digest = (await session.catalog()).digest()
                await self._insert_step(session, number, statement, is_done=False, catalog_before=digest)
            await self._run_alone(session, statement)
        await record.finish_step(session, self._migration, self._direction, number)

    async def _run_alone(self, session: Session, statement: Statement) -> None:
        try:
            await self._placed(statement, session.run_alone(statement.text, self._limits))
        except AdxError as error:
            if not isinstance(error, DatabaseUnreachable):
                with suppress(AdxError):
                    await session.clean_up(statement, self._limits)
            raise

    async def _is_begun(self, session: Session, number: int) -> bool:
        """Asked anew: an attempt that timed out before this one has begun the step."""
        return number in await record.steps(session, self._migration.version, self._direction)

    async def _insert_step(
        self, session: Session, number: int, statement: Statement, *, is_done: bool, catalog_before: str = ""
    ) -> None:
        row = record.StepRow(checksum=statement.checksum, is_done=is_done, catalog_before=catalog_before)
        await record.insert_step(session, self._migration, self._direction, number, row)

    async def _commit(self, session: Session, is_done: Callable[[SchemaVersion, set[int]], bool]) -> None:
        """Commit; when the answer is lost, ask the database with a session of its own whether it was done."""
        try:
            await session.commit()
        except DatabaseUnreachable as lost:
            found, done = await self._ask()
            if is_done(found, done):
                raise _FoundDone from lost
            raise DatabaseUnreachable(
                f"the connection to {session.server} was lost during the commit; the server says it was not done",
                next_step="run it again",
            ) from lost

    async def _ask(self) -> tuple[SchemaVersion, set[int]]:
        """The record as it is once the lost session has really ended: the lock is free only then."""
        for delay_seconds in ASK_AGAIN_SECONDS:
            await asyncio.sleep(delay_seconds)
            await self._database.close()
            with suppress(DatabaseUnreachable, MigrationLocked):
                session = await self._database.locked()
                found = await record.read(session)
                rows = await record.steps(session, self._migration.version, self._direction)
                return found, {number for number, row in rows.items() if row.is_done}
        raise OutcomeUnknown(
            f"the connection was lost while {self._migration.id} was committed, and the server does not answer",
            next_step="run it again when the server is back: it is asked first whether it was done",
        )

    async def _patiently(self, action: Callable[[], Awaitable[None]]) -> None:
        delays = self._database.patience.delays_seconds()
        while True:
            try:
                await action()
            except LockTimedOut as error:
                self._lock_timeouts += 1
                delay_seconds = next(delays, None)
                if delay_seconds is None:
                    raise LockTimedOut(
                        f"{error} ({self._lock_timeouts} attempts)",
                        next_step="find the transaction that holds the lock, or run it at a quieter time",
                    ) from error
                await asyncio.sleep(delay_seconds)
            else:
                return

    async def _placed(self, statement: Statement, running: Awaitable[Value]) -> Value:
        """Errors of ``running`` name the file and line of ``statement``."""
        place = f"{self._script.file}:{statement.line}"
        try:
            return await running
        except StatementRefused as error:
            raise StatementRefused(f"{place}: {error}", error.code, next_step=error.next_step) from error
        except DatabaseUnreachable:
            raise
        except AdxError as error:
            raise type(error)(f"{place}: {error}", next_step=error.next_step) from error

    def _is_done(self, found: SchemaVersion) -> bool:
        row = _row(found, self._migration.version)
        if self._direction == "down":
            return row is None and found.unfinished is None and found.version < self._migration.version
        return row is not None and row.checksum == self._migration.checksum

    def _check_order(self, found: SchemaVersion) -> None:
        """The migration is the next one in its direction, or the one that is half done in it."""
        version, unfinished = self._migration.version, found.unfinished
        row = unfinished if unfinished is not None and unfinished.version == version else _row(found, version)
        if row is not None and row.checksum != self._migration.checksum:
            raise NotInOrder(
                f"{self._script.file}: recorded {row.checksum[:19]}, the script is {self._migration.checksum[:19]}",
                next_step="bring the script back as it was applied, and change the schema with a new one",
            )
        if unfinished is not None:
            state = "applying" if self._direction == "up" else "reverting"
            if (unfinished.version, unfinished.state) != (version, state):
                raise NotInOrder(
                    f"version {unfinished.version} is half done ({unfinished.state})", next_step="finish it first"
                )
            return
        expected = found.version + 1 if self._direction == "up" else found.version
        if version != expected:
            raise NotInOrder(
                f"{self._migration.id} cannot go {self._direction}: the schema has version {found.version}",
                next_step=f"version {expected} is next in this direction",
            )

    def _tell(self, step: int, steps: int, *, was_done: bool = False) -> None:
        if self._observer is not None:
            told = StepDone(
                migration=self._migration.id,
                direction=self._direction,
                step=step,
                steps=steps,
                was_done=was_done,
            )
            self._observer(told)

    def _duration_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)

    def _applied(self, outcome: str) -> Applied:
        return Applied(
            migration=self._migration.id,
            direction=self._direction,
            outcome="already" if outcome == "already" else "applied",
            duration_ms=self._duration_ms(),
            lock_timeouts=self._lock_timeouts,
        )


class _FoundDone(Exception):
    """A commit whose answer was lost had been done."""


def _row(found: SchemaVersion, version: int) -> AppliedMigration | None:
    return next((one for one in found.applied if one.version == version), None)
