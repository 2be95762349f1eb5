"""The guarded change of one database: planned, protected, executed, compared; or back to what it was.

Everything that another attempt needs is in the ledger before the first
statement, and what is done is in the database itself: asked again after any
end, however it came, each step does what is left. Nothing is changed without
the claim, which is looked at before every script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from policies.errors import AdxError
from policies.migrations.catalog import Catalog, compare, is_same, lines
from policies.migrations.history import SchemaVersion, plan_migration
from policies.migrations.model import MigrationPlan, ScriptSet
from policies.migrations.targets import MigrationTarget
from workflows.clients.databases import Database
from workflows.clients.databases.errors import MigrationLocked, OutcomeUnknown
from workflows.clients.databases.interface_types import StepDone
from workflows.errors import AdxConnectionError
from workflows.guarded import finish_despite_cancellation
from workflows.ledger import Ledger
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.migrations_claims import TargetClaim
from workflows.ledger.migrations_targets import DatabaseRun, RunStatus, TargetStatus, Witnessed
from workflows.migrations import losses
from workflows.migrations.errors import NotTakenBack, RowsWouldBeLost, TargetAhead, TargetMissing
from workflows.migrations.models import TargetResult
from workflows.migrations.outcomes import as_body, result_of
from workflows.migrations.protection import Backup, Protection
from workflows.migrations.servers import quoted_schema
from workflows.migrations.unfinished import forget_unfinished
from workflows.migrations.written import WrittenSince

DIFFERENCES_SHOWN = 6
HAD_IT = "had it already"
# What says nothing about the database: asked again, by whoever comes next.
RETRIED = (AdxConnectionError, OutcomeUnknown, MigrationLocked)


@dataclass(frozen=True)
class TargetMigration:
    """One attempt at one database. ``tell`` takes a line for a person; ``accepted_by`` accepts that rows are lost."""

    ledger: Ledger
    claim: TargetClaim
    target: MigrationTarget
    scripts: ScriptSet
    database: Database
    protection: Protection
    tell: Callable[[str], None]
    is_cancel_wanted: Callable[[], bool] = lambda: False
    accepted_by: str = ""

    @property
    def _writes(self) -> WrittenSince:
        return WrittenSince(self.ledger, self.claim, self.target, self.database, self.accepted_by)

    async def deliver(self) -> TargetResult:
        """All of it: the database ends with its version, or as it was. Raises RETRIED, and when the attempt is over."""
        known = await rows.find_run(self.ledger, self.claim.operation_id, self.target.id)
        ended = result_of(known) if known is not None else None
        if ended is not None:
            return ended
        try:
            plan = await self.planned()
            if known is None and not plan.migrations:
                return await self.confirm()
            run, before = (known, None) if known is not None else await self._begin(plan)
        except (*RETRIED, StaleFencingToken):
            raise
        except RowsWouldBeLost as error:
            return await self._kept(str(error))
        except AdxError as error:
            return await self.refused(str(error)) if known is None else await self._failed(known, str(error))
        return await self._executed(plan, run, before)

    async def _executed(self, plan: MigrationPlan, run: DatabaseRun, before: Catalog | None) -> TargetResult:
        try:
            if not await self._is_untouched(plan, run):
                await self._run_scripts(plan)
                return await self.settle(run)
            await self._run_whole(plan, run)
            return await finish_despite_cancellation(self._settle_seen(run, before))
        except (*RETRIED, StaleFencingToken):
            raise
        except asyncio.CancelledError:
            if not self.is_cancel_wanted():
                raise  # the worker stops, or another attempt has taken over: it goes on there
            return await self._failed(run, "cancelled")
        except AdxError as error:
            return await self._failed(run, str(error))

    async def _failed(self, run: DatabaseRun, why: str) -> TargetResult:
        return await finish_despite_cancellation(self.take_back(run, why, is_undo=False))

    async def confirm(self) -> TargetResult:
        """The database has its version already: the ledger is told, and what it holds where nobody knew.

        Where a run that was left half way has brought it, that run is delivered: the next one to be taken back.
        """
        known = await rows.find_target(self.ledger, self.target.id)
        half = await rows.half_way_run(self.ledger, self.target.id)
        run = half if half is not None and half.to_version == self.target.to_version else None
        is_known = known is not None and known.catalog is not None and known.version == self.target.to_version
        catalog = None if is_known and run is None else await self.database.catalog()
        await self._finish(("delivered", "applied"), self.target.to_version, catalog=catalog, run=run)
        return self._result("delivered", self.target.to_version, HAD_IT)

    async def refused(self, why: str) -> TargetResult:
        """Nothing was touched; the ledger keeps why."""
        known = await rows.find_target(self.ledger, self.target.id)
        version = known.version if known is not None else None
        await rows.finish(self.ledger, self.claim, self.target.id, ("restored", "refused"), version=version, reason=why)
        return self._result("restored", version or 0, why)

    async def planned(self) -> MigrationPlan:
        """What is left to do. Makes the schema of a new target.

        Raises TargetMissing, TargetAhead, HistoryDiffers, and RowsWouldBeLost on the way down.
        """
        await self._provide_schema()
        plan = self._plan(await self.database.get_schema_version())
        await self._writes.check_way_down(plan)
        return plan

    async def protect(self, plan: MigrationPlan) -> DatabaseRun:
        """Write down what the database holds, and make what brings it back; nothing is changed before that."""
        known = await rows.find_run(self.ledger, self.claim.operation_id, self.target.id)
        return known if known is not None else (await self._begin(plan))[0]

    async def _begin(self, plan: MigrationPlan) -> tuple[DatabaseRun, Catalog]:
        """As ``protect``, where nothing is begun; with what the database holds."""
        catalog = await self.database.catalog()
        needs_backup = self.protection.needs_backup(plan, catalog)
        if needs_backup or plan.direction == "down":
            await self._check_claim()  # what only writes to the ledger looks for itself
        await self._writes.tell_way_down(plan)
        versions = (plan.from_version, self.target.to_version)
        run = await rows.begin(
            self.ledger,
            self.claim,
            self.target.id,
            versions,
            catalog=as_body(catalog),
            written=losses.NOT_SEEN,
            backup=await self._backup(plan) if needs_backup else None,
        )
        return run, catalog

    async def _backup(self, plan: MigrationPlan) -> Backup:
        settled = await rows.settled_backups(self.ledger, self.target.id)
        tenant = self.target.tenants[0] if len(self.target.tenants) == 1 else ""
        return await self.protection.make(self.database, plan, settled, tenant=tenant)

    async def execute(self, plan: MigrationPlan) -> int:
        """Run the scripts of ``plan`` that are left; how many that were.

        Where they end, well or not, what stands there is written down at once: what differs later, others wrote.
        Only of an attempt that ran them all: between two, others may have written, and nobody can tell.
        """
        run = await rows.find_run(self.ledger, self.claim.operation_id, self.target.id)
        if run is None or not await self._is_untouched(plan, run):
            return await self._run_scripts(plan)
        done = await self._run_whole(plan, run)
        await finish_despite_cancellation(self._witness(run))
        return done

    async def settle(self, run: DatabaseRun) -> TargetResult:
        """Compare what is there with what was asked for, and write it. Raises TargetAhead for what is not."""
        await self._check_version(run)
        await self._finish(("delivered", "applied"), run.to_version, catalog=await self.database.catalog())
        return self._result("delivered", run.to_version)

    async def take_back(self, run: DatabaseRun, why: str, *, is_undo: bool) -> TargetResult:
        """Bring the database to what it was before ``run``. ``is_undo``: that had ended, others may have written."""
        try:
            run = await rows.find_run(self.ledger, run.operation_id, run.target) or run
            await self._check_claim()
            await self._writes.check_run(run, is_undo=is_undo)
            await self._back(run)
            before = await self._writes.catalog(run.catalog_before)
            differing = compare(before, catalog := await self.database.catalog())
            if not is_same(differing):
                told = "; ".join(line.strip() for line in lines(differing)[:DIFFERENCES_SHOWN])
                raise NotTakenBack(f"{self.target.id} is not what it was: {told}")
        except (*RETRIED, StaleFencingToken):
            raise
        except AdxError as error:
            if is_undo and isinstance(error, RowsWouldBeLost):
                return await self._kept(str(error), run)
            reason = f"{why}; not taken back: {error}" if why else str(error)
            found = await self.database.get_schema_version()
            await self._finish(("needs-operator", "needs-operator"), found.version, reason=reason, run=run)
            return self._result("needs-operator", found.version, reason)
        left = "" if is_undo else await self._half_way_again(run)
        reason = "; ".join(one for one in (why, left) if one)
        ends: tuple[RunStatus, TargetStatus] = ("undone" if is_undo else "restored", "restored")
        ends = (ends[0], "needs-operator") if left else ends
        await self._finish(ends, run.from_version, reason=reason, catalog=catalog, run=run)
        return self._result("restored", run.from_version, reason)

    async def _half_way_again(self, run: DatabaseRun) -> str:
        """What was left half way before ``run``, in words: it is so again, and still the next one to be taken back."""
        half = await rows.half_way_run(self.ledger, run.target, run.started_at)
        if half is None:
            return ""
        unfinished = (await self.database.get_schema_version()).unfinished
        is_back = run.from_version == half.from_version and unfinished is None
        return "" if is_back else f"it is as {half.operation_id} left it, half way"

    def _plan(self, found: SchemaVersion) -> MigrationPlan:
        declared = max(self.target.from_version, self.target.to_version)
        if found.version > declared:
            raise TargetAhead(
                f"{self.target.id} has version {found.version}, declared are {self.target.from_version} before and"
                f" {self.target.to_version} now",
                next_step="declare the version that it has, or bring it back with `adx migrate rollback`",
            )
        return plan_migration(self.scripts, found, self.target.to_version)

    async def _provide_schema(self) -> None:
        if self.target.engine != "postgresql":
            return
        query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        if await self.database.execute_query(query, (self.target.schema,)):
            return
        if not self.target.is_new:
            raise TargetMissing(
                f"there is no schema {self.target.id}, and a version was delivered to it",
                next_step="look who dropped it; restore it from a backup before anything is delivered",
            )
        await self.database.execute_query(f"CREATE SCHEMA IF NOT EXISTS {quoted_schema(self.target.schema)}")

    async def _run_scripts(self, plan: MigrationPlan) -> int:
        for number, migration in enumerate(plan.migrations, start=1):
            await self._check_claim()

            def observe(done: StepDone, number: int = number) -> None:
                where = f"{done.migration} {done.direction}, statement {done.step} of {done.steps}"
                where += f", {done.batches}" if done.batches is not None else ""
                self.tell(f"{self.target.id}: {where} (script {number} of {len(plan.migrations)})")

            await self.database.apply_migration(migration, plan.direction, observe)
        return len(plan.migrations)

    async def _is_untouched(self, plan: MigrationPlan, run: DatabaseRun) -> bool:
        """Whether no script of ``run`` has run, and some are to."""
        found = await self.database.get_schema_version()
        return bool(plan.migrations) and found.unfinished is None and found.version == run.from_version

    async def _run_whole(self, plan: MigrationPlan, run: DatabaseRun) -> int:
        """Run the scripts of a run that nothing was done of; where they fail, write down what stands there."""
        try:
            return await self._run_scripts(plan)
        except (*RETRIED, StaleFencingToken):
            raise
        except (AdxError, asyncio.CancelledError) as error:
            if isinstance(error, AdxError) or self.is_cancel_wanted():
                with suppress(AdxError):  # why the scripts failed is what is told; without a mark nothing is lost
                    await finish_despite_cancellation(self._witness(run))
            raise

    async def _settle_seen(self, run: DatabaseRun, before: Catalog | None) -> TargetResult:
        """As ``settle``, right after the scripts: what stands there is written down with the end."""
        now = await self.database.catalog()
        seen = await self._seen(run, before or await self._writes.catalog(run.catalog_before), now)
        try:
            await self._check_version(run)
        except TargetAhead:
            await rows.witness(self.ledger, self.claim, self.target.id, seen)
            raise
        await self._finish(("delivered", "applied"), run.to_version, catalog=now, seen=seen)
        return self._result("delivered", run.to_version)

    async def _check_version(self, run: DatabaseRun) -> None:
        found = await self.database.get_schema_version()
        if found.version != self.target.to_version or found.unfinished is not None:
            raise TargetAhead(f"{run.target} has version {found.version} after all scripts have run")

    async def _witness(self, run: DatabaseRun) -> None:
        before, now = await self._writes.catalog(run.catalog_before), await self.database.catalog()
        await rows.witness(self.ledger, self.claim, self.target.id, await self._seen(run, before, now))

    async def _seen(self, run: DatabaseRun, before: Catalog, now: Catalog) -> Witnessed:
        written = await losses.written(self.database, before, now)
        return Witnessed(written=written, backup=await self.protection.mark(self.database, run.backup))

    async def _back(self, run: DatabaseRun) -> None:
        if await self.protection.restore(self.database, run, self._writes):
            return
        found = await self.database.get_schema_version()
        if found.unfinished is not None:
            await forget_unfinished(self.database, self.scripts, found.unfinished, self.target.id)
            found = await self.database.get_schema_version()
        await self._run_scripts(plan_migration(self.scripts, found, run.from_version))

    async def _kept(self, why: str, run: DatabaseRun | None = None) -> TargetResult:
        found = await self.database.get_schema_version()
        await self._finish(("kept", "kept"), found.version, reason=why, run=run)
        return self._result("kept", found.version, why)

    async def _check_claim(self) -> None:
        await claims.check(self.ledger, self.claim, [self.target.id])

    async def _finish(
        self,
        ends: tuple[RunStatus, TargetStatus],
        version: int,
        *,
        reason: str = "",
        catalog: Catalog | None = None,
        run: DatabaseRun | None = None,
        seen: Witnessed | None = None,
    ) -> None:
        await rows.finish(
            self.ledger,
            self.claim,
            self.target.id,
            ends,
            version=version,
            operation_id=run.operation_id if run is not None else "",
            reason=reason,
            catalog=as_body(catalog) if catalog is not None else None,
            seen=seen,
        )

    def _result(self, outcome: str, version: int, why: str = "") -> TargetResult:
        return TargetResult(self.target.id, outcome, version, why)  # type: ignore[arg-type] # only called with its words
