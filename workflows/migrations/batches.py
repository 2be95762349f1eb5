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
from workflows.clients.databases import LockPatience, open_database
from workflows.infrastructure.activities import cancelled_when
from workflows.ledger import fencing
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.migrations_claims import TargetClaim
from workflows.migrations.finding import Scripts, claim_of, claimed, is_cancel_wanted, targets_in
from workflows.migrations.models import BatchRequest, BatchResult, MigrationLease, TargetResult, UndoRequest
from workflows.migrations.outcomes import result_of
from workflows.migrations.protection import Protection
from workflows.migrations.servers import Server, provide_databases, server_of
from workflows.migrations.target import RETRIED, TargetMigration
from workflows.migrations.watching import watch_claim
from workflows.retry import CONNECTION
from workflows.runtime import Runtime
from workflows.step_runner import HEARTBEAT_INTERVAL_SECONDS, Report, StepKey, heartbeating

Action = Callable[[TargetMigration], Awaitable[TargetResult]]


@dataclass(frozen=True)
class _Batch:
    """What one attempt works with."""

    lease: MigrationLease
    body: Targets
    server: Server
    claim: TargetClaim
    report: Report
    accepts_loss: bool = False


class BatchActivities:
    """Migrates, and takes back, many databases."""

    def __init__(self, runtime: Runtime, protection: Protection | None = None, patience: LockPatience | None = None):
        self._runtime = runtime
        self._scripts = Scripts(runtime)
        self._protection = protection or Protection()
        self._patience = patience or LockPatience()

    @activity.defn
    async def migrate_batch(self, request: BatchRequest) -> BatchResult:
        """Bring each to its version, or back. Raises only what stops the whole batch (a stale claim, a server away)."""

        async def work(report: Report) -> BatchResult:
            body = await targets_in(self._runtime, request.lease, request.targets)
            chosen = [body.by_id()[target] for target in sorted(request.chosen)]
            server = server_of(self._runtime.environ, request.server, chosen[0].engine)
            batch = _Batch(
                request.lease, body, server, claim_of(request.lease), report, accepts_loss=request.accepts_loss
            )
            action = _undo(request.lease.operation_id) if request.is_undo else _deliver
            return BatchResult(await self._all(batch, chosen, action))

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
                batch = _Batch(lease, body, server, claim_of(lease), report)
                results += await self._all(batch, chosen, _undo(request.undoes))
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
        """As a step of the rollout where there is one; with heartbeats either way."""
        if lease.rollout_id:
            digest = digest_of([lease.operation_id, sorted(content)])
            parts = {"unit": f"database/{unit}"} if unit else {}
            key = StepKey(lease.rollout_id, lease.environment, f"{name}-{digest[:8]}", digest, **parts)
            return await self._runtime.steps.run(key, BatchResult, work)
        report = Report()
        async with heartbeating(report, HEARTBEAT_INTERVAL_SECONDS):
            return await work(report)

    async def _all(self, batch: _Batch, chosen: Sequence[MigrationTarget], action: Action) -> list[TargetResult]:
        ledger, names = self._runtime.ledger, [one.id for one in chosen]
        await claims.claim(ledger, batch.claim, [claimed(one) for one in chosen])
        async with cancelled_when(watch_claim(ledger, batch.claim, names)):
            await provide_databases(batch.server, chosen)
            places = asyncio.Semaphore(batch.server.at_once)
            tasks = [asyncio.create_task(self._one(batch, one, action, places)) for one in chosen]
            return await _gathered(tasks, batch.report)

    async def _one(
        self, batch: _Batch, target: MigrationTarget, action: Action, places: asyncio.Semaphore
    ) -> TargetResult:
        try:
            async with places, self._at(batch, target) as work:
                return await action(work)
        except asyncio.CancelledError:
            if is_cancel_wanted():
                return TargetResult(target.id, "restored", target.from_version, "cancelled before it began")
            raise
        except RETRIED as error:
            if activity.info().attempt < CONNECTION.attempts:
                raise
            return await self._given_up(batch, target, error)

    async def _given_up(self, batch: _Batch, target: MigrationTarget, error: AdxError) -> TargetResult:
        """The server stayed away: nothing was touched, or nobody knows what is there."""
        run = await rows.find_run(self._runtime.ledger, batch.claim.operation_id, target.id)
        if run is None:
            return TargetResult(target.id, "restored", target.from_version, f"nothing was touched: {error}")
        return TargetResult(target.id, "needs-operator", 0, f"what is there is not known: {error}")

    @contextlib.asynccontextmanager
    async def _at(self, batch: _Batch, target: MigrationTarget) -> AsyncIterator[TargetMigration]:
        scripts = await self._scripts.of(batch.body.commits, target.scripts)
        async with open_database(batch.server.of(target), self._patience) as database:
            yield TargetMigration(
                ledger=self._runtime.ledger,
                claim=batch.claim,
                target=target,
                scripts=scripts,
                database=database,
                protection=self._protection,
                tell=batch.report,
                is_cancel_wanted=is_cancel_wanted,
                accepts_loss=batch.accepts_loss,
            )


async def _deliver(work: TargetMigration) -> TargetResult:
    return await work.deliver()


def _undo(operation_id: str) -> Action:
    """Takes back what the operation did to a database; one that it never touched is as it was."""

    async def action(work: TargetMigration) -> TargetResult:
        run = await rows.find_run(work.ledger, operation_id, work.target.id)
        if run is None or run.status in ("restored", "undone"):
            return TargetResult(work.target.id, "restored", work.target.from_version)
        return await work.take_back(run, "taken back with its rollout", is_undo=run.status == "delivered")

    return action


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
