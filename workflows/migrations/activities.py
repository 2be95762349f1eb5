"""The steps of migrating one database, each with a session of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from temporalio import activity

from workflows.guarded import finish_despite_cancellation
from workflows.infrastructure.activities import cancelled_when
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.migrations.errors import NotTakenBack
from workflows.migrations.finding import accepted_by, claim_of, claimed, targets_in
from workflows.migrations.models import TargetPlanned, TargetRequest, TargetResult
from workflows.migrations.opening import DatabaseActivities
from workflows.migrations.outcomes import as_planned
from workflows.migrations.servers import provide_databases, server_of
from workflows.migrations.target import TargetMigration
from workflows.migrations.watching import watch_claim
from workflows.step_runner import Report


class TargetActivities(DatabaseActivities):
    """Activities of the workflow that migrates one database. They may be asked again after any end."""

    @activity.defn
    async def plan_target(self, request: TargetRequest) -> TargetPlanned:
        """What is to be done, and whether it may be: nothing is touched, but a new tenant's schema is made."""
        async with self._at(request, is_first=True) as work:
            return as_planned(await work.planned())

    @activity.defn
    async def protect_target(self, request: TargetRequest) -> str:
        """Write down what the database holds, and make what brings it back."""
        async with self._at(request) as work:
            run = await work.protect(await work.planned())
            return "a backup" if run.backup is not None else "down scripts, compared through the catalog"

    @activity.defn
    async def execute_target(self, request: TargetRequest) -> int:
        """Run the scripts that are left; how many that were. A cancelled one is cancelled on the server."""
        async with self._at(request) as work:
            return await work.execute(await work.planned())

    @activity.defn
    async def verify_target(self, request: TargetRequest) -> TargetResult:
        """Compare what is there with what was asked for, and write the end."""
        async with self._at(request) as work:
            run = await rows.find_run(self._runtime.ledger, request.lease.operation_id, request.target)
            if run is None:
                return await work.confirm()
            return await work.settle(run)

    @activity.defn
    async def restore_target(self, request: TargetRequest) -> TargetResult:
        """Bring the database back to what it was before its run, or before that of the operation ``undoes``."""
        operation = request.undoes or request.lease.operation_id
        async with self._at(request) as work:
            run = await rows.find_run(self._runtime.ledger, operation, request.target)
            if run is None:
                raise NotTakenBack(
                    f"{operation} has not touched {request.target}", next_step="see `adx migrate status`"
                )
            return await finish_despite_cancellation(work.take_back(run, request.reason, is_undo=bool(request.undoes)))

    @activity.defn
    async def refuse_target(self, request: TargetRequest) -> TargetResult:
        """Write why a database was not touched."""
        async with self._at(request) as work:
            return await work.refused(request.reason)

    @contextlib.asynccontextmanager
    async def _at(self, request: TargetRequest, *, is_first: bool = False) -> AsyncIterator[TargetMigration]:
        """The database, claimed, with a place at its server; given up as soon as another attempt claims it.

        ``is_first``: a new tenant's database is made.
        """
        runtime, lease = self._runtime, request.lease
        body = await targets_in(runtime, lease, request.targets)
        target = body.by_id()[request.target]
        scripts = await self._scripts.of(body.commits, target.scripts)
        claim, report = claim_of(lease), Report()
        await claims.claim(runtime.ledger, claim, [claimed(target)])
        server = server_of(runtime.environ, target.server, target.engine)
        async with (
            cancelled_when(watch_claim(runtime.ledger, claim, [target.id])),
            self._places.at(server),
        ):
            if is_first:
                await provide_databases(server, [target])
            async with self._opened(
                server, target, scripts, claim, tell=report, accepted_by=accepted_by(request)
            ) as work:
                yield work
