"""Several databases of one server in one activity: as many side by side as the server allows, each guarded for itself.

What became of a database is in the ledger as soon as it is known, so an attempt
after a crash asks only about those that have no end yet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from temporalio import activity

from policies.desired_state import digest_of
from policies.errors import AdxError
from policies.migrations.targets import MigrationTarget, Targets
from workflows.guarded import finish_despite_cancellation
from workflows.infrastructure.activities import cancelled_when
from workflows.ledger import fencing
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_claims import BusyTarget, TargetClaim
from workflows.migrations import survey
from workflows.migrations.finding import accepted_by, claim_of, claimed, is_cancel_wanted, targets_in
from workflows.migrations.models import BatchRequest, BatchResult, MigrationLease, TargetResult, UndoRequest
from workflows.migrations.opening import DatabaseActivities
from workflows.migrations.outcomes import result_of
from workflows.migrations.servers import Server, provide_databases, server_of
from workflows.migrations.target import HAD_IT, RETRIED, TargetMigration
from workflows.migrations.watching import watch_claim
from workflows.retry import classify
from workflows.step_runner import Report, StepKey


@dataclass(frozen=True)
class _Batch:
    """What one attempt works with. ``undoes``: the operation that is taken back."""

    lease: MigrationLease
    body: Targets
    server: Server
    claim: TargetClaim
    report: Report
    undoes: str = ""
    accepted_by: str = ""

    @property
    def operation_id(self) -> str:
        """The operation whose runs are meant."""
        return self.undoes or self.lease.operation_id


class BatchActivities(DatabaseActivities):
    """Migrates, and takes back, many databases."""

    @activity.defn
    async def migrate_batch(self, request: BatchRequest) -> BatchResult:
        """Bring each to its version, or back. Raises only what stops the whole batch (a stale claim, a server away)."""

        async def work(report: Report) -> BatchResult:
            body = await targets_in(self._runtime, request.lease, request.targets)
            chosen = [body.by_id()[target] for target in sorted(request.chosen)]
            server = server_of(self._runtime.environ, request.server, chosen[0].engine)
            undoes = request.lease.operation_id if request.is_undo else ""
            batch = _Batch(request.lease, body, server, claim_of(request.lease), report, undoes, accepted_by(request))
            return BatchResult(await self._all(batch, chosen))

        name = f"migrate{'-undo' if request.is_undo else ''}"
        return await self._recorded(request.lease, name, request.server, request.chosen, work)

    @activity.defn
    async def undo_operation(self, request: UndoRequest) -> BatchResult:
        """Take back what an operation brought, server by server; what would lose rows stays and is told."""

        async def work(report: Report) -> BatchResult:
            body = await targets_in(self._runtime, request.lease, request.targets)
            known = body.by_id()
            lease = await self._renewed(request.lease)
            begun = [one for one in await rows.runs_of(self._runtime.ledger, request.undoes) if one.target in known]
            waiting = [known[one.target] for one in begun if one.status in ("delivered", "migrating")]
            settled = [one for one in begun if one.status in ("kept", "needs-operator")]
            results = [one for run in settled if (one := result_of(run)) is not None]
            for name in sorted({one.server for one in waiting}):
                chosen = [one for one in waiting if one.server == name]
                server = server_of(self._runtime.environ, name, chosen[0].engine)
                batch = _Batch(lease, body, server, claim_of(lease), report, request.undoes)
                results += await self._all(batch, chosen)
            return BatchResult(results)

        return await self._recorded(request.lease, "migrations-undo", "", [request.undoes, request.turn], work)

    async def _renewed(self, lease: MigrationLease) -> MigrationLease:
        """The lease under a token of this attempt, where a rollout stands behind it."""
        if not lease.rollout_id:
            return lease
        holder = claim_of(lease).holder
        token = await fencing.renew(self._runtime.ledger, lease.environment, lease.rollout_id, holder)
        return replace(lease, environment_token=token)

    async def _recorded(
        self,
        lease: MigrationLease,
        name: str,
        unit: str,
        content: Sequence[str],
        work: Callable[[Report], Awaitable[BatchResult]],
    ) -> BatchResult:
        """As a step of the rollout where there is one."""
        if lease.rollout_id:
            digest = digest_of([lease.operation_id, sorted(content)])
            parts = {"unit": f"database/{unit}"} if unit else {}
            key = StepKey(lease.rollout_id, lease.environment, f"{name}-{digest[:8]}", digest, **parts)
            return await self._runtime.steps.run(key, BatchResult, work)
        return await work(Report())

    async def _all(self, batch: _Batch, chosen: Sequence[MigrationTarget]) -> list[TargetResult]:
        ledger = self._runtime.ledger
        busy = await claims.claim_free(ledger, batch.claim, [claimed(one) for one in chosen])
        ours = [one for one in chosen if one.id not in busy]
        results = [_left_alone(batch, one, busy[one.id]) for one in chosen if one.id in busy]
        async with cancelled_when(watch_claim(ledger, batch.claim, [one.id for one in ours])):
            if not batch.undoes:
                settled = await self._prepared(batch, ours)
                results += settled
                ours = [one for one in ours if one.id not in {result.target for result in settled}]
            tasks = [asyncio.create_task(self._one(batch, one)) for one in ours]
            results += await _gathered(tasks, batch.report)
        return sorted(results, key=lambda one: one.target)

    async def _prepared(self, batch: _Batch, targets: Sequence[MigrationTarget]) -> list[TargetResult]:
        """Make the databases of new targets; those of ``targets`` of which nothing is left to do."""
        try:
            await provide_databases(batch.server, targets)
            return await self._up_to_date(batch, targets)
        except asyncio.CancelledError:
            if not is_cancel_wanted():
                raise
            return [await finish_despite_cancellation(self._cancelled(batch, one)) for one in targets]

    async def _up_to_date(self, batch: _Batch, targets: Sequence[MigrationTarget]) -> list[TargetResult]:
        """Those that had their version, and are recorded so. What goes wrong is told by each for itself."""
        scripts = {one: await self._scripts.of(batch.body.commits, one) for one in {one.scripts for one in targets}}
        try:
            found = await survey.recorded(batch.server, targets)
        except AdxError:
            return []
        there = survey.up_to_date(targets, found, scripts)
        confirmed = await rows.confirm(self._runtime.ledger, batch.claim, there) if there else ()
        return [TargetResult(one, "delivered", there[one], HAD_IT) for one in confirmed]

    async def _one(self, batch: _Batch, target: MigrationTarget) -> TargetResult:
        try:
            if batch.undoes:
                return await self._taken_back(batch, target, "taken back with its rollout")
            async with self._at(batch, target) as work:
                return await work.deliver()
        except asyncio.CancelledError:
            if not is_cancel_wanted():
                raise
            return await finish_despite_cancellation(self._cancelled(batch, target))
        except RETRIED as error:
            return await self._given_up(batch, target, error)

    async def _cancelled(self, batch: _Batch, target: MigrationTarget) -> TargetResult:
        """It was not under way here: an earlier attempt may have begun it, or ended it."""
        try:
            run = await rows.find_run(self._runtime.ledger, batch.operation_id, target.id)
            if run is None:
                return TargetResult(target.id, "restored", target.from_version, "cancelled before it began")
            ended = None if batch.undoes else result_of(run)
            return ended or await self._taken_back(batch, target, "cancelled")
        except RETRIED as error:
            return await self._given_up(batch, target, error)

    async def _taken_back(self, batch: _Batch, target: MigrationTarget, why: str) -> TargetResult:
        """Undo what the operation did to a database; nothing is asked of one that it never touched, or has settled."""
        run = await rows.find_run(self._runtime.ledger, batch.operation_id, target.id)
        if run is None:
            return TargetResult(target.id, "restored", target.from_version, "it was not touched")
        settled = None if run.status == "delivered" else result_of(run)
        if settled is not None:
            return settled
        async with self._at(batch, target) as work:
            return await work.take_back(run, why, is_undo=run.status == "delivered")

    async def _given_up(self, batch: _Batch, target: MigrationTarget, error: AdxError) -> TargetResult:
        """The server stayed away, or somebody holds the schema's lock: nothing was touched, or nobody knows.

        Raises ``error`` but at the last attempt of its class: then the others of the batch have their own ends.
        """
        if activity.info().attempt < classify(error).attempts:
            raise error
        run = await rows.find_run(self._runtime.ledger, batch.operation_id, target.id)
        if run is None:
            return TargetResult(target.id, "restored", target.from_version, f"nothing was touched: {error}")
        return TargetResult(target.id, "needs-operator", 0, f"what is there is not known: {error}")

    @contextlib.asynccontextmanager
    async def _at(self, batch: _Batch, target: MigrationTarget) -> AsyncIterator[TargetMigration]:
        """The database, with a place at its server."""
        scripts = await self._scripts.of(batch.body.commits, target.scripts)
        async with (
            self._places.at(batch.server),
            self._opened(
                batch.server, target, scripts, batch.claim, tell=batch.report, accepted_by=batch.accepted_by
            ) as work,
        ):
            yield work


def _left_alone(batch: _Batch, target: MigrationTarget, busy: BusyTarget) -> TargetResult:
    """Another operation is in charge: what it makes of the database is not ours to take back. Pure."""
    if not busy.is_taken_over:
        return TargetResult(target.id, "restored", target.from_version, f"nothing was touched: {busy.why}")
    return TargetResult(target.id, "kept" if batch.undoes else "needs-operator", 0, busy.why)


async def _gathered(tasks: Sequence[asyncio.Task[TargetResult]], report: Report) -> list[TargetResult]:
    """All results. A cancellation reaches every task, and is over when each has ended in its own way."""
    waiting, done = set(tasks), 0
    while waiting:
        try:
            ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            if not is_cancel_wanted():
                raise
            break
        done += len(ended)
        report(f"{done} of {len(tasks)} databases")
    errors = [error for task in tasks if (error := _error_of(task)) is not None]
    if errors:
        raise errors[0]
    return [task.result() for task in tasks]


def _error_of(task: asyncio.Task[TargetResult]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
