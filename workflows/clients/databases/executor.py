"""One migration, applied or taken back, so that every end leaves the schema known.

Where the server can, all statements and the record are one transaction. Where
it cannot, each statement is a step with a record of its own:

* what can be undone shares a transaction with its record, so it is done once;
* what cannot is recorded as begun, run, and recorded as done. When a crash fell
  in between, the session asks the server whether it was done.

A script in batches (``batching``) has a transaction for each of them.

The session holds the schema's lock all the time, on the very connection that
does the work: whoever loses the connection has lost both.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from policies.errors import AdxError
from policies.migrations.history import SchemaVersion, goes_back_from_half
from policies.migrations.model import Statement
from workflows.clients.databases import batching_record, record
from workflows.clients.databases.attempt import Attempt, FoundDone, row_of
from workflows.clients.databases.batching import run_batches
from workflows.clients.databases.errors import DatabaseUnreachable, NotInOrder
from workflows.clients.databases.interface_types import Applied, Feature, Progress
from workflows.clients.databases.session import Session


class Execution(Attempt):
    """One call of ``apply_migration``."""

    async def run(self) -> Applied:
        """Do what is left to do. Raises what ``errors`` draws."""
        is_found = False
        while True:
            try:
                outcome = await self._run()
            except FoundDone:
                # The lost session is replaced: what is left, if anything, is done on the new one.
                is_found = True
            else:
                return Applied(
                    migration=self.migration.id,
                    direction=self.direction,
                    outcome="found-applied" if is_found else outcome,
                    duration_ms=self.duration_ms(),
                    lock_timeouts=self.lock_timeouts,
                )

    async def _run(self) -> Literal["already", "applied"]:
        session = await self.database.locked()
        found = await record.read(session)
        if self.is_done(found):
            return "already"
        self._check_order(found)
        await record.ensure_tables(session)
        if self.has_batches:
            await batching_record.ensure_table(session)
        if self.script.header.batch:
            await run_batches(self, session, found)
        elif self._is_one_transaction(session):
            await self.patiently(lambda: self._in_one_transaction(session))
        else:
            await self._step_by_step(session, is_begun=self.is_begun(found))
        return "applied"

    def _is_one_transaction(self, session: Session) -> bool:
        is_alone = any(one.is_alone for one in self.script.statements)
        is_wanted = self.script.header.transaction == "auto"
        return session.supports(Feature.TRANSACTIONAL_DDL) and is_wanted and not is_alone

    async def _in_one_transaction(self, session: Session) -> None:
        await session.begin(self.limits)
        try:
            for number, statement in enumerate(self.script.statements, start=1):
                await self.placed(statement, session.execute(statement.text))
                self.tell(number)
            await self.finish(session)
        except BaseException:
            await session.rollback()
            raise
        await self.commit(session, self._is_recorded_done)

    async def _step_by_step(self, session: Session, *, is_begun: bool) -> None:
        if not is_begun:
            await session.begin()
            await record.write_begun(session, self.migration, self.direction)
            await self.commit(session, self.is_recorded_begun)
        known = await record.steps(session, self.migration.version, self.direction)
        for number, statement in enumerate(self.script.statements, start=1):
            row = known.get(number)
            if row is not None:
                self.check_text(statement, row.checksum)
            is_known = row is not None and row.is_done
            if not is_known:
                await self.patiently(lambda n=number, s=statement, r=row: self._step(session, n, s, r))  # type: ignore[misc] # bound at once
            self.tell(number, was_done=is_known)
        await session.begin()
        await self.finish(session)
        await self.commit(session, self._is_recorded_done)

    async def _step(self, session: Session, number: int, statement: Statement, row: record.StepRow | None) -> None:
        if session.runs_in_transaction(statement):
            await session.begin(self.limits)
            try:
                await self.placed(statement, session.execute(statement.text))
                await self._insert_step(session, number, statement, is_done=True)
            except BaseException:
                await session.rollback()
                raise
            await self.commit(session, lambda other: self._is_step_done(other, number))
            return
        before = row.catalog_before if row is not None else ""
        progress = Progress(begun=row is not None, catalog_before=before)
        if not await self.placed(statement, session.prepare_again(statement, progress, self.limits)):
            if not await self._is_step_begun(session, number):
                digest = (await session.catalog()).digest()
                await self._insert_step(session, number, statement, is_done=False, catalog_before=digest)
            await self._run_alone(session, statement)
        await record.finish_step(session, self.migration, self.direction, number)

    async def _run_alone(self, session: Session, statement: Statement) -> None:
        try:
            await self.placed(statement, session.run_alone(statement.text, self.limits))
        except AdxError as error:
            if not isinstance(error, DatabaseUnreachable):
                with suppress(AdxError):
                    await session.clean_up(statement, self.limits)
            raise

    async def _is_step_begun(self, session: Session, number: int) -> bool:
        """Asked anew: an attempt that timed out before this one has begun the step."""
        return number in await record.steps(session, self.migration.version, self.direction)

    async def _is_step_done(self, session: Session, number: int) -> bool:
        row = (await record.steps(session, self.migration.version, self.direction)).get(number)
        return row is not None and row.is_done

    async def _is_recorded_done(self, session: Session) -> bool:
        return self.is_done(await record.read(session))

    async def _insert_step(
        self, session: Session, number: int, statement: Statement, *, is_done: bool, catalog_before: str = ""
    ) -> None:
        row = record.StepRow(checksum=statement.checksum, is_done=is_done, catalog_before=catalog_before)
        await record.insert_step(session, self.migration, self.direction, number, row)

    def _check_order(self, found: SchemaVersion) -> None:
        """The migration is the next one in its direction, or the one that is half done in it."""
        version, unfinished = self.migration.version, found.unfinished
        row = unfinished if unfinished is not None and unfinished.version == version else row_of(found, version)
        if row is not None and row.checksum != self.migration.checksum:
            raise NotInOrder(
                f"{self.script.file}: recorded {row.checksum[:19]}, the script is {self.migration.checksum[:19]}",
                next_step="bring the script back as it was applied, and change the schema with a new one",
            )
        if unfinished is not None:
            is_ours = unfinished.version == version and self.is_begun(found)
            if not is_ours and not (self.direction == "down" and goes_back_from_half(self.migration, unfinished)):
                raise NotInOrder(
                    f"version {unfinished.version} is half done ({unfinished.state})", next_step="finish it first"
                )
            return
        expected = found.version + 1 if self.direction == "up" else found.version
        if version != expected:
            raise NotInOrder(
                f"{self.migration.id} cannot go {self.direction}: the schema has version {found.version}",
                next_step=f"version {expected} is next in this direction",
            )
