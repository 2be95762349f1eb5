"""The restore: a workflow of its own, so that nothing that ends the rollout ends it too."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from workflows.configuration.durable import ConfigurationRestore
from workflows.configuration.workflow import restored_line
from workflows.guarded import Failure, Step, run_steps
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, RestoreRequest, StackLease
from workflows.invoke import ActivityCall
from workflows.migrations.in_rollout import (
    CONTRACT_STEP,
    MIGRATE_STEP,
    UNCONTRACT_STEP,
    UNMIGRATE_STEP,
    take_back,
)
from workflows.migrations.models import MigrationsToUndo
from workflows.models import StepProgress
from workflows.rollout.models import CONFIGURATION_STEP, RESTORE_STEPS, RestoreInput, RestoreResult
from workflows.rollout.returning import ReturningReleases
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest

ROUNDS = 3
PAUSE_BETWEEN_ROUNDS = timedelta(seconds=30)


@workflow.defn
class RestoreWorkflow:
    """Repair → re-apply the last good inputs → wait for workloads → compare with the snapshot.

    A round that fails is followed by another, which reads the cluster afresh
    before it applies. After the last one the result says so; it never raises.
    """

    @workflow.init
    def __init__(self, request: RestoreInput) -> None:
        self._request = request
        self._objects, self._kept = 0, ""
        self._has_returned = False
        self._steps = [StepProgress(step.name) for step in self._round(1)]

    @workflow.run
    async def run(self, request: RestoreInput) -> RestoreResult:  # noqa: ARG002 - taken by __init__
        """Restore ``request.snapshot``."""
        failure: Failure | None = None
        for number in range(1, ROUNDS + 1):
            failure = await run_steps(self._round(number), self._steps)
            if failure is None:
                return RestoreResult(verified=True, objects=self._objects, kept=self._kept)
            if number < ROUNDS:
                await asyncio.sleep(PAUSE_BETWEEN_ROUNDS.total_seconds())
        assert failure is not None  # noqa: S101 - the loop ran at least once and did not return
        return RestoreResult(
            verified=False,
            failure=failure.message,
            failed_step=failure.step,
            objects=self._objects,
            has_returned_traffic=self._has_returned,
        )

    @workflow.query
    def steps(self) -> list[StepProgress]:
        """The steps of the round under way."""
        return self._steps

    def _round(self, number: int) -> list[Step]:
        request = self._request
        lease = StackLease(request.environment, request.rollout_id, request.fencing_token)
        call = ActivityCall(request.timeouts, request.environment)
        restore = RestoreRequest(lease, request.snapshot, number)

        async def repair() -> str:
            count = await call.apply(InfrastructureActivities.repair, restore)
            return f"{count} pending operation(s) repaired" if count else "nothing to repair"

        async def reapply() -> str:
            base = ApplyRequest(
                lease, request.base_state or "", refresh=number > 1, is_restore=True, round_number=number
            )
            applied = await call.apply(InfrastructureActivities.apply, base)
            return f"{applied.updates} updated, {applied.creates} created, {applied.deletes} deleted"

        async def redeploy() -> str:
            if request.base_state is None:
                return "nothing was running before"
            ready = await call.apply(
                ServiceActivities.deploy,
                DeployRequest(
                    request.environment,
                    request.rollout_id,
                    request.base_state,
                    tuple(request.changed_services),
                    is_restore=True,
                    round_number=number,
                ),
            )
            return f"{len(ready.services)} workload(s) ready"

        async def verify() -> str:
            verified = await call.apply(InfrastructureActivities.verify_restore, restore)
            self._objects = verified.objects
            healed = f"; drift undone: {', '.join(verified.healed_drift)}" if verified.healed_drift else ""
            return f"{verified.objects} objects are as they were{healed}"

        async def configure() -> str:
            return await restored_line(
                ConfigurationRestore(
                    request.environment,
                    request.rollout_id,
                    request.configured_state,
                    request.requested_by,
                    number,
                    request.timeouts,
                )
            )

        steps = dict(zip(RESTORE_STEPS, (repair, reapply, redeploy, verify), strict=True))
        if request.configured_state:
            steps[CONFIGURATION_STEP] = configure
        found = [Step(name, run) for name, run in steps.items()]
        # Once given back, requests stay where they are: to do it again could start the new releases again.
        if request.releases is not None and not self._has_returned:
            found = ReturningReleases(request, request.releases, call, number, self._returned).among(found)
        return found if request.migrations is None else self._with_databases(request.migrations, found, number)

    def _returned(self) -> None:
        self._has_returned = True

    def _with_databases(self, asked: MigrationsToUndo, steps: list[Step], number: int) -> list[Step]:
        """What the old services need comes back before they do; what they never knew goes after them."""
        turn = f"{workflow.info().run_id}.{number}"

        async def uncontract() -> str:
            if not asked.has_after or asked.migrations.after is None:
                return "nothing was contracted"
            return await take_back(asked, CONTRACT_STEP, asked.migrations.after, turn, self._request.timeouts)

        async def unmigrate() -> str:
            if asked.migrations.before is None:
                return "nothing was expanded"
            line = await take_back(asked, MIGRATE_STEP, asked.migrations.before, turn, self._request.timeouts)
            self._kept = line if "kept" in line else ""
            return line

        place = [step.name for step in steps].index("verify")
        return [
            Step(UNCONTRACT_STEP, uncontract),
            *steps[:place],
            Step(UNMIGRATE_STEP, unmigrate),
            *steps[place:],
        ]
