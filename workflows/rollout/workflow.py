"""One rollout: the guarded change of an environment, from a commit to a verified cluster or back."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.cells.models import CellLease
from workflows.configuration.durable import ConfigurationUpdate
from workflows.configuration.workflow import deliver_configuration
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import FleetInput, SettleRequest
from workflows.guarded import (
    Failure,
    GuardedOutcome,
    NothingToChange,
    Step,
    finish_despite_cancellation,
    guarded_change,
    outliving,
)
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, PlanRequest, SnapshotRequest, SnapshotTaken
from workflows.invoke import ActivityCall
from workflows.migrations.in_rollout import CONTRACT_STEP, MIGRATE_STEP, run_stage, told
from workflows.migrations.models import MigrationLease, MigrationStage, MigrationsToUndo, RolloutMigrations
from workflows.models import StepProgress
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.holding import Hold
from workflows.rollout.models import (
    CONFIGURATION_STEP,
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
from workflows.rollout.plan import waves_line
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.tenants import supersede_fleet, until_ended
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest


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
        self._is_in_waves = self._has_new_tenants = False
        self._superseded_by = ""
        self._configured_state = ""
        self._has_migrated = self._has_contracted = False
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
        self._hold = Hold(self._call, self._status)

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
        if not self._status.waiting_for_approval:
            raise ApplicationError("it is too late: the plan does not wait any more", type="Refused")
        self._approved_by = decision.by
        return Receipt(self._status.environment, self._status.commit, f"approved by {decision.by}")

    @approve.validator
    def _check_approval(self, decision: Decision) -> None:
        if not self._status.waiting_for_approval:
            raise ApplicationError(f"{self._status.rollout_id} is not waiting for approval", type="Refused")
        named = decision.by in self._status.approvers and ":" not in decision.by
        if self._status.approvers and not named:
            allowed = ", ".join(self._status.approvers)
            raise ApplicationError(f"{decision.by} may not approve; these may: {allowed}", type="Refused")

    @workflow.update
    async def override(self, decision: Decision) -> Receipt:
        """Start although a freeze or a closed window holds the rollout."""
        record = DecisionRecord(self._status.environment, "override", decision)
        await self._call.read(RolloutActivities.record_decision, record)
        self._hold.override()
        return Receipt(self._status.environment, self._status.commit, f"freeze overridden by {decision.by}")

    @override.validator
    def _check_override(self, decision: Decision) -> None:
        if not self._status.held_until:
            raise ApplicationError(f"nothing holds {self._status.rollout_id}", type="Refused")
        if not decision.reason.strip():
            raise ApplicationError("an override needs a reason", type="Refused")

    @workflow.signal
    async def supersede(self) -> None:
        """A newer commit waits: give way if nothing has been applied yet, else once what is under way has ended."""
        if self._status.waiting_for_approval or self._status.held_until:
            self._stopped = "superseded"
        self._superseded_by = "a newer commit"
        if self._is_in_waves:
            await supersede_fleet(self._status.rollout_id, self._superseded_by)

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
        if validated.has_configuration:
            self._add_configuration_step()
        if validated.migrations is not None:
            self._add_migration_steps(validated.migrations)
        if validated.has_calendar and self._request.submission.kind != "rollback":
            await self._hold.until_open(validated.delivery, lambda: bool(self._stopped))
            self._give_way()
        return (
            validated.summary if not validated.is_plan_bound else f"{validated.summary}; {await self._bind(validated)}"
        )

    def _add_tenants_step(self) -> None:
        """Before the last step: what it records includes what became of the tenants."""
        self._after_snapshot[-1:] = [
            Step(TENANTS_STEP, self._deliver_tenants),
            Step("status", self._record_delivered, is_past_return=True),
        ]
        self._status.steps.insert(-1, StepProgress(TENANTS_STEP))

    def _add_configuration_step(self) -> None:
        """Once the workloads run that read the values, and before the tests, which judge both."""
        place = [step.name for step in self._after_snapshot].index("deploy") + 1
        self._after_snapshot.insert(place, Step(CONFIGURATION_STEP, self._deliver_configuration))
        names = [step.name for step in self._status.steps]
        self._status.steps.insert(names.index("deploy") + 1, StepProgress(CONFIGURATION_STEP))

    def _add_migration_steps(self, migrations: RolloutMigrations) -> None:
        """Before the services that need a version, and after they are proven what only the old ones needed."""
        for stage, step, following in (
            (migrations.before, Step(MIGRATE_STEP, self._migrate), "apply"),
            (migrations.after, Step(CONTRACT_STEP, self._contract), self._name_after("test")),
        ):
            if stage is not None:
                self._after_snapshot.insert([one.name for one in self._after_snapshot].index(following), step)
                place = [one.name for one in self._status.steps].index(following)
                self._status.steps.insert(place, StepProgress(step.name))

    def _name_after(self, name: str) -> str:
        names = [step.name for step in self._after_snapshot]
        return names[names.index(name) + 1]

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
        """Whether nothing differs but what is delivered in waves: then there is nothing to apply as one."""
        return bool(self._known().core_state) and self._known().core_units == 0

    async def _plan(self) -> str:
        if self._is_core_untouched:
            await self._wait_for_approval()
            return self._with_approval(f"{waves_line(self._known())}, nothing else")
        request = PlanRequest(self._taken().lease, self._known().applied_state)
        plan = await self._call.apply(InfrastructureActivities.plan, request)
        line = (
            f"{plan.creates} to create, {plan.updates} to update, {plan.replaces} to replace, {plan.deletes} to delete"
        )
        if waves := waves_line(self._known()):
            line += f"; then {waves}"
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
        self._give_way()

    def _give_way(self) -> None:
        if self._stopped:
            raise ApplicationError("a newer commit was merged", type="Superseded", non_retryable=True)

    async def _apply(self) -> str:
        if self._is_core_untouched:
            return "nothing to apply before the waves"
        request = ApplyRequest(self._taken().lease, self._known().applied_state)
        done = await self._call.apply(InfrastructureActivities.apply, request)
        repaired = f"; {done.repaired_operations} pending operation(s) repaired" if done.repaired_operations else ""
        line = f"{done.creates} created, {done.updates} updated, {done.replaces} replaced, {done.deletes} deleted"
        return line + repaired

    async def _migrate(self) -> str:
        migrations = self._known().migrations
        assert migrations is not None and migrations.before is not None  # noqa: S101, PT018 - else there is no such step
        self._has_migrated = True
        return await self._run_stage(MIGRATE_STEP, migrations.before)

    async def _contract(self) -> str:
        migrations = self._known().migrations
        assert migrations is not None and migrations.after is not None  # noqa: S101, PT018 - else there is no such step
        self._has_migrated = self._has_contracted = True
        return await self._run_stage(CONTRACT_STEP, migrations.after)

    async def _run_stage(self, step: str, stage: MigrationStage) -> str:
        result = await run_stage(self._taken().lease, step, stage, self._known().delivery, self._request.timeouts)
        if result.outcome != "delivered":
            self._is_partly = told(result)
            self._status.failure, self._status.failed_step = self._is_partly, step
        return f"{stage.text}: {result.text}"

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

    async def _deliver_configuration(self) -> str:
        validated = self._known()
        self._configured_state = validated.applied_state
        update = ConfigurationUpdate(
            self._status.environment,
            self._status.rollout_id,
            validated.applied_state,
            validated.base_state,
            validated.delivery,
            self._status.requested_by,
            self._request.timeouts,
        )
        return await deliver_configuration(update)

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
            lease,
            validated.core_state,
            validated.desired_state,
            validated.delivery,
            timeouts=self._request.timeouts,
            superseded_by=self._superseded_by,
        )
        self._is_in_waves = True
        fleet = await until_ended(request)
        self._is_in_waves = False
        if fleet.outcome == "restored":
            raise ApplicationError(fleet.summary.reason or fleet.summary.text, type="FleetRestored", non_retryable=True)
        self._has_new_tenants = True
        settle = SettleRequest(status.environment, validated.core_state, validated.desired_state, fleet.delivered)
        self._delivered_state = await finish_despite_cancellation(
            self._call.read_at_last(FleetActivities.settle, settle, "settle the waves")
        )
        if fleet.outcome != "delivered":
            told = [fleet.summary.text, fleet.summary.reason, *fleet.reasons[:3]]
            self._is_partly = "; ".join(part for part in told if part)
            status.failure, status.failed_step = self._is_partly, TENANTS_STEP
        return fleet.summary.text

    async def _record_delivered(self) -> str:
        outcome: Outcome = "partly-delivered" if self._is_partly else "delivered"
        request = self._finish_request(outcome)
        if self._has_new_tenants:
            await self._finish_at_last(request)
        else:
            await self._call.read(RolloutActivities.finish, request)
        return outcome

    async def _restore(self, failure: Failure) -> RestoreResult:
        """Start the restore as a child that outlives us, and await it whatever happens to us."""
        self._note(failure)
        self._status.phase = "restoring"
        self._status.restore_id = f"{self._status.rollout_id}-restore"
        self._status.restore = self._restore_input()
        return await outliving(RestoreWorkflow.run, self._status.restore, self._status.restore_id)

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
            configured_state=self._configured_state,
            requested_by=self._status.requested_by,
            migrations=self._to_undo(),
        )

    def _to_undo(self) -> MigrationsToUndo | None:
        migrations = self._known().migrations
        if migrations is None or not self._has_migrated:
            return None
        status = self._status
        lease = MigrationLease(status.environment, f"{status.rollout_id}-restore", rollout_id=status.rollout_id)
        return MigrationsToUndo(lease, migrations, has_after=self._has_contracted)

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
        elif restored is not None and restored.kept:
            self._status.failure += f"; {restored.kept}"
        request = self._finish_request(outcome, restore_verified=restored is not None and restored.verified)
        finished = await self._finish_at_last(request)
        self._status.revert_branch = finished.revert_branch
        return self._close(outcome)

    async def _finish_at_last(self, request: FinishRequest) -> Finished:
        """Record the end, also when we are being cancelled: without it nobody would know the state."""
        recording = self._call.read_at_last(RolloutActivities.finish, request, "record the end")
        return await finish_despite_cancellation(recording)

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
