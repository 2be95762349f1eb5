"""A heal: the guarded change by which what others have changed is put back. A child of the environment's workflow."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.drift.heal_activities import HealActivities
from workflows.drift.models import (
    HEAL_STEPS,
    HealApply,
    HealEnd,
    HealPlanned,
    HealRequest,
    HealSnapshot,
    HealSnapshotRequest,
)
from workflows.guarded import (
    PAUSE_BETWEEN_ROUNDS_SECONDS,
    RESTORE_ROUNDS,
    Failure,
    GuardedOutcome,
    NothingToChange,
    Step,
    failure_of,
    finish_despite_cancellation,
    guarded_change,
)
from workflows.invoke import ActivityCall
from workflows.models import Outcome
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import TestRequest
from workflows.rollout.models import RolloutInput, RolloutStatus
from workflows.rollout.outcomes import not_delivered
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest


@workflow.defn
class HealWorkflow:
    """validate → snapshot → apply → deploy → test → status; on any failure after the snapshot all is undone.

    Units are independent: where the cluster does not take one back, that one alone is undone.

    Undone means: the objects are what they were before, drift and all. What a
    person did may be what keeps a workload alive.
    """

    @workflow.init
    def __init__(self, request: RolloutInput) -> None:
        submission = request.submission
        self._request = request
        self._call = ActivityCall(request.timeouts, submission.environment)
        self._planned: HealPlanned | None = None
        self._snapshot: HealSnapshot | None = None
        self._failed: dict[str, str] = {}
        self._status = RolloutStatus.begun(workflow.info().workflow_id, submission, HEAL_STEPS)
        self._status.base_commit = submission.commit

    @workflow.run
    async def run(self, request: RolloutInput) -> RolloutStatus:  # noqa: ARG002 - taken by __init__
        """Heal ``request.submission``; the status returned is the final one."""
        try:
            outcome = await guarded_change(
                before_snapshot=[Step("validate", self._validate)],
                snapshot=Step("snapshot", self._take_snapshot),
                after_snapshot=[
                    Step("apply", self._apply),
                    Step("deploy", self._deploy),
                    Step("test", self._test),
                    Step("status", self._record_healed),
                ],
                restore=self._undo,
                progress=self._status.steps,
            )
        except NothingToChange:
            return await self._end("nothing-to-change")
        if outcome.failure is None:
            return self._status.ended(self._healed)
        return await self._end(self._outcome_of(outcome), is_restored=not outcome.restored)

    @workflow.query
    def status(self) -> RolloutStatus:
        """The heal as it stands."""
        return self._status

    async def _validate(self) -> str:
        request = HealRequest(self._status.rollout_id, self._request.submission)
        self._planned = await self._call.apply(HealActivities.plan_heal, request)
        self._status.summary = self._planned.summary
        if not self._planned.units:
            raise NothingToChange(self._planned.summary)
        return self._planned.summary

    async def _take_snapshot(self) -> str:
        planned = self._known()
        request = HealSnapshotRequest(
            self._status.environment, self._status.rollout_id, planned.state, planned.delivery, planned.units
        )
        self._snapshot = await self._call.apply(HealActivities.snapshot_heal, request)
        return f"{self._snapshot.objects} object(s), {self._snapshot.snapshot[:12]}"

    async def _apply(self) -> str:
        done = await self._call.apply(HealActivities.apply_heal, self._apply_request(is_undo=False))
        self._failed = done.failed
        if done.failed:
            self._status.failure, self._status.failed_step = "; ".join(list(done.failed.values())[:3]), "apply"
        return "; ".join([f"{done.objects} object(s) put back", *list(done.failed.values())[:3], *done.left[:3]])

    async def _deploy(self) -> str:
        planned = self._known()
        services = tuple(name for name in planned.services if f"service/{name}" not in self._failed)
        if not services:
            return "no workload changes"
        request = DeployRequest(self._status.environment, self._status.rollout_id, planned.state, services)
        ready = await self._call.apply(ServiceActivities.deploy, request)
        return f"{len(ready.services)} workload(s) ready"

    async def _test(self) -> str:
        planned = self._known()
        request = TestRequest(
            self._status.environment, self._status.rollout_id, planned.commit, planned.delivery, planned.state
        )
        passed = await self._call.apply(RolloutActivities.run_tests, request)
        return f"{len(passed.names)} test(s) passed"

    async def _record_healed(self) -> str:
        await self._call.read(HealActivities.finish_heal, self._heal_end(self._healed))
        return self._healed

    @property
    def _healed(self) -> Outcome:
        return "partly-delivered" if self._failed else "delivered"

    async def _undo(self, failure: Failure) -> str:
        """Make everything what it was; empty when that is verified, else why it could not be."""
        self._status.failure, self._status.failed_step = failure.message, failure.step
        self._status.phase = "restoring"
        why = ""
        for number in range(RESTORE_ROUNDS):
            if number:
                await asyncio.sleep(PAUSE_BETWEEN_ROUNDS_SECONDS)
            try:
                await self._call.apply(HealActivities.undo_heal, self._apply_request(is_undo=True))
            except ActivityError as error:
                why = failure_of("undo", error).message
            else:
                return ""
        return why

    def _apply_request(self, *, is_undo: bool) -> HealApply:
        planned, snapshot = self._known(), self._snapshot
        assert snapshot is not None  # noqa: S101 - set by the snapshot step, before any that asks
        return HealApply(
            lease=snapshot.lease,
            snapshot=snapshot.snapshot,
            state=planned.state,
            delivery=planned.delivery,
            units=planned.units,
            is_undo=is_undo,
        )

    def _outcome_of(self, outcome: GuardedOutcome[str]) -> Outcome:
        failure = outcome.failure
        assert failure is not None  # noqa: S101 - only called for a failure
        self._status.failure, self._status.failed_step = failure.message, failure.step
        if outcome.restored:
            self._status.failure += f"; and what was done could not be undone: {outcome.restored}"
            return "needs-operator"
        return not_delivered(failure, was_restored=outcome.restored is not None)

    async def _end(self, outcome: Outcome, *, is_restored: bool = False) -> RolloutStatus:
        """Record an end other than healed, also when we are being cancelled, however long the ledger is away."""
        end = self._heal_end(outcome, is_restored=is_restored)
        await finish_despite_cancellation(self._call.read_at_last(HealActivities.finish_heal, end, "record the end"))
        return self._status.ended(outcome)

    def _heal_end(self, outcome: Outcome, *, is_restored: bool = False) -> HealEnd:
        return HealEnd(
            rollout_id=self._status.rollout_id,
            submission=self._request.submission,
            outcome=outcome,
            planned=self._planned,
            fencing_token=self._snapshot.lease.fencing_token if self._snapshot else 0,
            failure=self._status.failure,
            failed_step=self._status.failed_step,
            is_restored=is_restored,
            failed=self._failed,
        )

    def _known(self) -> HealPlanned:
        assert self._planned is not None  # noqa: S101 - set by the first step, before any that asks
        return self._planned
