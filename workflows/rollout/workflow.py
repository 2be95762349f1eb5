"""One rollout: the guarded change of an environment, from a commit to a verified cluster or back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from workflows.cells.models import CellLease
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import FleetInput, FleetResult, SettleRequest
from workflows.fleet.workflow import FleetWorkflow
from workflows.guarded import (
    Failure,
    GuardedOutcome,
    NothingToChange,
    Step,
    failure_of,
    finish_despite_cancellation,
    guarded_change,
)
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, PlanRequest, SnapshotRequest, SnapshotTaken
from workflows.invoke import ActivityCall
from workflows.models import StepProgress
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.models import (
    DELIVERY_STEPS,
    REFUSALS,
    TENANTS_STEP,
    BindRequest,
    Decision,
    DecisionRecord,
    Finished,
    FinishRequest,
    Outcome,
    Receipt,
    RestoreInput,
    RestoreResult,
    RolloutInput,
    RolloutStatus,
    TestRequest,
    Validated,
    ValidateRequest,
)
from workflows.rollout.restore import RestoreWorkflow
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest

PAUSE_AFTER_FAILED_RECORD_SECONDS = 30


@workflow.defn
class RolloutWorkflow:
    """validate → snapshot → plan → apply → deploy → test → status; restored on any failure after the snapshot."""

    @workflow.init
    def __init__(self, request: RolloutInput) -> None:
        submission = request.submission
        self._request = request
        self._call = ActivityCall(request.timeouts)
        self._validated: Validated | None = None
        self._snapshot: SnapshotTaken | None = None
        self._approved_by = ""
        self._stopped: Outcome | None = None
        self._error_type = ""
        self._delivered_state = ""
        self._is_partly = ""
        self._after_snapshot = [
            Step("plan", self._plan),
            Step("apply", self._apply),
            Step("deploy", self._deploy),
            Step("test", self._test),
            Step("status", self._record_delivered),
        ]
        self._status = RolloutStatus(
            rollout_id=workflow.info().workflow_id,
            environment=submission.environment,
            commit=submission.commit,
            kind=submission.kind,
            requested_by=submission.requested_by,
            source=submission.source,
            steps=[StepProgress(name) for name in DELIVERY_STEPS],
        )

    @workflow.run
    async def run(self, request: RolloutInput) -> RolloutStatus:  # noqa: ARG002 - taken by __init__
        """Deliver ``request.submission``; the status returned is the final one."""
        try:
            outcome = await guarded_change(
                before_snapshot=[Step("validate", self._validate)],
                snapshot=Step("snapshot", self._take_snapshot),
                after_snapshot=self._after_snapshot,
                restore=self._restore,
                progress=self._status.steps,
            )
        except NothingToChange:
            return await self._end("nothing-to-change", None)
        if outcome.failure is None:
            return self._close("partly-delivered" if self._is_partly else "delivered")
        self._note(outcome.failure)
        return await self._end(self._outcome_of(outcome), outcome.restored)

    @workflow.query
    def status(self) -> RolloutStatus:
        """The rollout as it stands."""
        return self._status

    @workflow.update
    async def approve(self, decision: Decision) -> Receipt:
        """Agree to the plan; what was approved is applied next."""
        record = DecisionRecord(self._status.environment, "approve", decision)
        await self._call.read(RolloutActivities.record_decision, record)
        self._approved_by = decision.by
        return Receipt(self._status.environment, self._status.commit, f"approved by {decision.by}")

    @approve.validator
    def _check_approval(self, decision: Decision) -> None:
        if not self._status.waiting_for_approval:
            raise ApplicationError(f"{self._status.rollout_id} is not waiting for approval", type="Refused")
        if self._status.approvers and decision.by not in self._status.approvers:
            allowed = ", ".join(self._status.approvers)
            raise ApplicationError(f"{decision.by} may not approve; these may: {allowed}", type="Refused")

    @workflow.signal
    def supersede(self) -> None:
        """A newer commit waits: give way if nothing has been applied yet."""
        if self._status.waiting_for_approval:
            self._stopped = "superseded"

    async def _validate(self) -> str:
        request = ValidateRequest(self._status.rollout_id, self._request.submission)
        validated = await self._call.read(RolloutActivities.validate, request)
        self._validated = validated
        self._status.commit = validated.commit
        self._status.base_commit = validated.base_commit or ""
        self._status.summary = validated.summary
        if validated.changed_units == 0:
            raise NothingToChange("nothing to change")
        if validated.core_state:
            self._add_tenants_step()
        return (
            validated.summary if not validated.is_plan_bound else f"{validated.summary}; {await self._bind(validated)}"
        )

    def _add_tenants_step(self) -> None:
        """Before the last step: what it records includes what became of the tenants."""
        self._after_snapshot.insert(-1, Step(TENANTS_STEP, self._deliver_tenants))
        self._status.steps.insert(-1, StepProgress(TENANTS_STEP))

    async def _bind(self, validated: Validated) -> str:
        request = BindRequest(
            environment=self._status.environment,
            rollout_id=self._status.rollout_id,
            base_state=validated.base_state,
            desired_state=validated.desired_state,
            delivery=validated.delivery,
        )
        bound = await self._call.apply(RolloutActivities.bind, request)
        pull_request = f", pull request {bound.pull_request}" if bound.pull_request else ""
        return f"plan {bound.digest[:12]} as previewed for {bound.head[:12]}{pull_request}"

    async def _take_snapshot(self) -> str:
        validated = self._known()
        request = SnapshotRequest(
            self._status.environment, self._status.rollout_id, validated.base_state, validated.cells
        )
        self._snapshot = await self._call.apply(InfrastructureActivities.snapshot, request)
        return f"{self._snapshot.objects} objects, {self._snapshot.snapshot[:12]}"

    @property
    def _is_core_untouched(self) -> bool:
        """Whether nothing but tenants differs, which are delivered in waves: then there is nothing to apply as one."""
        return bool(self._known().core_state) and self._known().core_units == 0

    async def _plan(self) -> str:
        if self._is_core_untouched:
            await self._wait_for_approval()
            return self._with_approval(f"{self._known().changed_units} tenant(s) in waves, nothing else")
        request = PlanRequest(self._taken().lease, self._known().applied_state)
        plan = await self._call.apply(InfrastructureActivities.plan, request)
        line = (
            f"{plan.creates} to create, {plan.updates} to update, {plan.replaces} to replace, {plan.deletes} to delete"
        )
        if self._known().core_state:
            line += f"; then {self._known().changed_units - self._known().core_units} tenant(s) in waves"
        await self._wait_for_approval()
        return self._with_approval(line)

    def _with_approval(self, line: str) -> str:
        return line if not self._approved_by else f"{line}; approved by {self._approved_by}"

    async def _wait_for_approval(self) -> None:
        approvers = self._known().approvers
        if approvers is None:
            return
        self._status.waiting_for_approval, self._status.approvers = True, approvers
        limit_hours = self._known().approval_timeout_hours
        try:
            await workflow.wait_condition(
                lambda: bool(self._approved_by or self._stopped), timeout=timedelta(hours=limit_hours)
            )
        except TimeoutError as error:
            message = f"nobody approved within {limit_hours} h"
            raise ApplicationError(message, type="ApprovalTimedOut", non_retryable=True) from error
        finally:
            self._status.waiting_for_approval = False
        if self._stopped:
            raise ApplicationError("a newer commit was merged", type="Superseded", non_retryable=True)

    async def _apply(self) -> str:
        if self._is_core_untouched:
            return "nothing to apply beside the tenants"
        request = ApplyRequest(self._taken().lease, self._known().applied_state)
        done = await self._call.apply(InfrastructureActivities.apply, request)
        repaired = f"; {done.repaired_operations} pending operation(s) repaired" if done.repaired_operations else ""
        line = f"{done.creates} created, {done.updates} updated, {done.replaces} replaced, {done.deletes} deleted"
        return line + repaired

    async def _deploy(self) -> str:
        validated = self._known()
        if self._is_core_untouched:
            return "no workload changes"
        request = DeployRequest(
            self._status.environment,
            self._status.rollout_id,
            validated.applied_state,
            tuple(validated.changed_services),
        )
        ready = await self._call.apply(ServiceActivities.deploy, request)
        return f"{len(ready.services)} workload(s) ready"

    async def _test(self) -> str:
        validated = self._known()
        request = TestRequest(self._status.environment, self._status.rollout_id, validated.commit, validated.delivery)
        passed = await self._call.apply(RolloutActivities.run_tests, request)
        return f"{len(passed.names)} test(s) passed"

    async def _deliver_tenants(self) -> str:
        """Deliver the tenants in waves. Fails, and so restores the rest, only when they are all back as they were."""
        validated, status = self._known(), self._status
        token = await self._call.read(FleetActivities.claim_environment, self._taken().lease)
        lease = CellLease(status.environment, status.rollout_id, token)
        request = FleetInput(
            lease, validated.core_state, validated.desired_state, validated.delivery, timeouts=self._request.timeouts
        )
        fleet = await self._until_settled(request)
        if fleet.outcome == "restored":
            raise ApplicationError(fleet.summary.reason or fleet.summary.text, type="FleetRestored", non_retryable=True)
        settle = SettleRequest(status.environment, validated.core_state, validated.desired_state, fleet.delivered)
        self._delivered_state = await self._call.read(FleetActivities.settle, settle)
        if fleet.outcome != "delivered":
            self._is_partly = "; ".join([fleet.summary.text, fleet.summary.reason, *fleet.reasons[:3]]).strip("; ")
            status.failure, status.failed_step = self._is_partly, TENANTS_STEP
        return fleet.summary.text

    async def _until_settled(self, request: FleetInput) -> FleetResult:
        """Await the fleet, also when the rollout is cancelled: then it starts nothing more and ends what it began."""
        child = await workflow.start_child_workflow(
            FleetWorkflow.run,
            request,
            id=f"{self._status.rollout_id}-fleet",
            parent_close_policy=ParentClosePolicy.ABANDON,
            cancellation_type=ChildWorkflowCancellationType.ABANDON,
        )
        waiting = asyncio.ensure_future(finish_despite_cancellation(child))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await child.signal(FleetWorkflow.cancel, "whoever cancelled the rollout")
            return await finish_despite_cancellation(waiting)

    async def _record_delivered(self) -> str:
        outcome: Outcome = "partly-delivered" if self._is_partly else "delivered"
        await self._call.read(RolloutActivities.finish, self._finish_request(outcome))
        return outcome

    async def _restore(self, failure: Failure) -> RestoreResult:
        """Start the restore as a child that outlives us, and await it whatever happens to us."""
        self._note(failure)
        self._status.phase = "restoring"
        self._status.restore_id = f"{self._status.rollout_id}-restore"
        self._status.restore = self._restore_input()
        return await workflow.execute_child_workflow(
            RestoreWorkflow.run,
            self._status.restore,
            id=self._status.restore_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            cancellation_type=ChildWorkflowCancellationType.ABANDON,
        )

    def _restore_input(self) -> RestoreInput:
        lease, validated = self._taken().lease, self._known()
        return RestoreInput(
            rollout_id=self._status.rollout_id,
            environment=self._status.environment,
            fencing_token=lease.fencing_token,
            snapshot=self._taken().snapshot,
            base_state=validated.base_state,
            changed_services=validated.changed_services,
            timeouts=self._request.timeouts,
        )

    def _note(self, failure: Failure) -> None:
        self._status.failure, self._status.failed_step = failure.message, failure.step
        self._error_type = failure.error_type

    def _outcome_of(self, outcome: GuardedOutcome[RestoreResult]) -> Outcome:
        failure, restored = outcome.failure, outcome.restored
        assert failure is not None  # noqa: S101 - only called for a failure
        if restored is not None and not restored.verified:
            return "needs-operator"
        if self._stopped:
            return self._stopped
        if failure.is_cancelled:
            return "cancelled"
        if restored is not None:
            return "restored"
        return "refused" if failure.error_type in REFUSALS else "failed"

    async def _end(self, outcome: Outcome, restored: RestoreResult | None) -> RolloutStatus:
        """Record an end other than delivery, also when we are being cancelled."""
        if restored is not None and not restored.verified:
            self._status.failure += f"; the restore failed at {restored.failed_step}: {restored.failure}"
        request = self._finish_request(outcome, restore_verified=restored is not None and restored.verified)
        finished = await finish_despite_cancellation(self._finish_at_last(request))
        self._status.revert_branch = finished.revert_branch
        return self._close(outcome)

    async def _finish_at_last(self, request: FinishRequest) -> Finished:
        """Record the end, however long the ledger is away: without it nobody would know the state."""
        while True:
            try:
                return await self._call.read(RolloutActivities.finish, request)
            except ActivityError as error:
                workflow.logger.warning("cannot record the end: %s", failure_of("status", error).message)
                await asyncio.sleep(PAUSE_AFTER_FAILED_RECORD_SECONDS)

    def _close(self, outcome: Outcome) -> RolloutStatus:
        self._status.phase, self._status.outcome = "ended", outcome
        return self._status

    def _finish_request(self, outcome: Outcome, *, restore_verified: bool = False) -> FinishRequest:
        return FinishRequest(
            rollout_id=self._status.rollout_id,
            submission=self._request.submission,
            outcome=outcome,
            fencing_token=self._snapshot.lease.fencing_token if self._snapshot else 0,
            validated=self._validated,
            failure=self._status.failure,
            failed_step=self._status.failed_step,
            error_type=self._error_type,
            snapshot=self._snapshot.snapshot if self._snapshot else "",
            restore_verified=restore_verified,
            delivered_state=self._delivered_state,
        )

    def _known(self) -> Validated:
        assert self._validated is not None  # noqa: S101 - set by the first step, before any that asks
        return self._validated

    def _taken(self) -> SnapshotTaken:
        assert self._snapshot is not None  # noqa: S101 - set by the snapshot step, before any that asks
        return self._snapshot
