"""A script that runs batch by batch: every batch is a transaction of its rows and of the position behind them.

Whatever ends the process, no row is done twice and none is left out: the next call begins behind the last position
that was committed. The end is the greatest key that there was in the beginning; rows that come later with a greater
one are the business of whoever writes them, as they are for one UPDATE.

A batch that takes longer than TARGET_SECONDS halves the next, short ones let them grow to ``batch_rows`` again.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from policies.migrations.batches import batch_key, bound_statement, next_rows
from policies.migrations.history import SchemaVersion
from policies.migrations.model import Header, Statement
from workflows.clients.databases import batching_record, record
from workflows.clients.databases.attempt import Attempt
from workflows.clients.databases.batching_keys import KeyColumn, find_key
from workflows.clients.databases.batching_record import Position
from workflows.clients.databases.errors import StatementTimedOut
from workflows.clients.databases.interface_types import BatchesDone
from workflows.clients.databases.session import Session

_STEP = 1


async def run_batches(attempt: Attempt, session: Session, found: SchemaVersion) -> None:
    """Do the batches that are left of the one statement of ``attempt``, then write its end.

    Raises StatementRefused before anything is written when batches cannot be cut by the header's key, and FoundDone.
    """
    statement, key = attempt.script.statements[0], batch_key(attempt.script.header)
    assert key is not None  # noqa: S101 - the caller has looked
    column = await attempt.placed(statement, find_key(session, key, statement))
    run = _Run(attempt, session, statement, column)
    position = await run.begin(found)
    if position.batches:
        run.tell(position, was_done=True)
    await run.to_the_end(position)
    await session.begin()
    await attempt.finish(session)
    await attempt.commit(session, run.is_finished)


class _Run:
    """The batches of one call; ``session`` is the one that holds the lock."""

    def __init__(self, attempt: Attempt, session: Session, statement: Statement, column: KeyColumn) -> None:
        self._attempt = attempt
        self._session = session
        self._statement = statement
        self._column = column
        self._version = attempt.migration.version

    @property
    def _header(self) -> Header:
        return self._attempt.script.header

    async def begin(self, found: SchemaVersion) -> Position:
        """The position that is recorded; at the beginning, one before the first row, recorded now."""
        attempt, session = self._attempt, self._session
        if attempt.is_begun(found):
            known = await batching_record.read(session, self._version, attempt.direction)
            attempt.check_text(self._statement, known.checksum if known is not None else "")
            assert known is not None  # noqa: S101 - no text has the checksum ""
            return known
        position = Position(checksum=self._statement.checksum, last=await self._end(found))
        await session.begin()
        await record.write_begun(session, attempt.migration, attempt.direction)
        await batching_record.write(session, self._version, attempt.direction, position)
        await attempt.commit(session, attempt.is_recorded_begun)
        return position

    async def to_the_end(self, position: Position) -> None:
        """One batch after another, with pauses, which a cancellation ends at once."""
        rows = self._header.batch_rows
        while not position.is_end:
            try:
                position, seconds = await self._attempt.patiently(lambda p=position, n=rows: self._batch(p, n))  # type: ignore[misc] # bound at once
            except StatementTimedOut:
                if rows == 1:
                    raise
                rows //= 2
            else:
                rows = next_rows(rows, self._header.batch_rows, seconds)
                self.tell(position)
            if not position.is_end:
                await asyncio.sleep(self._header.pause_ms / 1000)

    def tell(self, position: Position, *, was_done: bool = False) -> None:
        """Tell how far it is."""
        told = BatchesDone(
            batches=position.batches,
            rows_written=position.rows_written,
            rows_passed=position.rows_passed,
            rows_expected=self._column.rows_expected,
            is_last=position.is_end,
        )
        self._attempt.tell(_STEP, was_done=was_done, batches=told)

    async def is_finished(self, session: Session) -> bool:
        """Whether the record, asked anew, says that all of it is done."""
        return self._attempt.is_done(await record.read(session))

    async def _end(self, found: SchemaVersion) -> str | None:
        """Where it ends: the greatest key there is, or, to take back what is half done, where that has stopped."""
        half = found.unfinished
        if half is not None and self._attempt.migration.up.header.batch == self._header.batch:
            stopped = await batching_record.read(self._session, self._version, "up")
            return stopped.after if stopped is not None else None
        return await self._column.last(self._session)

    async def _batch(self, position: Position, rows: int) -> tuple[Position, float]:
        """One batch, committed; the position behind it, and how many seconds it took."""
        session, started = self._session, time.monotonic()
        so_far = f"batches done before: {position.batches}" if position.batches else ""
        await session.begin(self._attempt.limits)
        try:
            reached = await self._attempt.placed(self._statement, self._written(position, rows), so_far)
            await self._record(reached)
        except BaseException:
            await session.rollback()
            raise
        await self._attempt.commit(session, lambda other: self._is_reached(other, reached))
        return reached, time.monotonic() - started

    async def _written(self, position: Position, rows: int) -> Position:
        """Run the statement on the next ``rows`` rows; the position behind them."""
        session, column, last = self._session, self._column, position.last
        is_first = position.after is None
        after = await column.first(session) if position.after is None else position.after
        if after is None or last is None:  # all rows have gone meanwhile
            return msgspec.structs.replace(position, after=last)
        upto = await column.upto(session, after, last, rows, is_first=is_first)
        values = {"after": column.bound(after), "upto": column.bound(upto if upto is not None else last)}
        text, order = bound_statement(self._statement.text, column.engine, column.placeholder, is_first=is_first)
        written = await session.execute_counted(text, [values[one] for one in order])
        return msgspec.structs.replace(
            position,
            after=upto if upto is not None else last,
            batches=position.batches + 1,
            rows_passed=position.rows_passed + (rows if upto is not None else written),
            rows_written=position.rows_written + written,
        )

    async def _record(self, position: Position) -> None:
        """The position, and with the first batch that something was done: nobody may forget that."""
        attempt = self._attempt
        await batching_record.write(self._session, self._version, attempt.direction, position)
        if position.batches == 1:
            row = record.StepRow(checksum=self._statement.checksum, is_done=False, catalog_before="")
            await record.insert_step(self._session, attempt.migration, attempt.direction, _STEP, row)

    async def _is_reached(self, session: Session, position: Position) -> bool:
        found = await batching_record.read(session, self._version, self._attempt.direction)
        return found is not None and found.batches >= position.batches
