"""One rollout: the guarded change of an environment, from a commit to a verified cluster or back."""

from __future__ import annotations

from dataclasses import replace

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
from workflows.migrations.in_rollout import CONTRACT_STEP, MIGRATE_STEP
from workflows.migrations.models import MigrationsToUndo
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.approval import Approval
from workflows.rollout.databases import Databases
from workflows.rollout.holding import Hold
from workflows.rollout.models import (
    CLEANUP_STEP,
    CONFIGURATION_STEP,
    DELIVERY_STEPS,
    REFUSALS,
    RELEASE_STEP,
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
from workflows.rollout.releases import Releases
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.step_list import StepList
from workflows.rollout.tenants import supersede_fleet, until_ended
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest, ReleaseDecision


@workflow.defn
class RolloutWorkflow:
    """validate → snapshot → plan → apply → deploy → test → status; restored on any failure after the snapshot."""

    @workflow.init
    def __init__(self, request: RolloutInput) -> None:
        submission = request.submission
        self._request = request
        self._call = ActivityCall(request.timeouts, submission.environment)
        self._validated: Validated | None = None
        self._snapshot: SnapshotTaken | None = None
        self._stopped: Outcome | None = None
        self._error_type = ""
        self._delivered_state = ""
        self._tenants_partly = ""
        self._databases: Databases | None = None
        self._releases: Releases | None = None
        self._is_in_waves = self._has_new_tenants = False
        self._superseded_by = ""
        self._configured_state = ""
        self._after_snapshot = [
            Step("plan", self._plan),
            Step("apply", self._apply),
            Step("deploy", self._deploy),
            Step("test", self._test),
            Step("status", self._record_delivered),
        ]
        self._status = RolloutStatus.begun(workflow.info().workflow_id, submission, DELIVERY_STEPS)
        self._steps = StepList(self._after_snapshot, self._status.steps)
        self._hold, self._approval = Hold(self._call, self._status), Approval(self._call, self._status)

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
            return self._status.ended(self._delivered)
        self._note(outcome.failure)
        return await self._end(self._outcome_of(outcome), outcome.restored)

    @workflow.query
    def status(self) -> RolloutStatus:
        """The rollout as it stands."""
        return self._status

    @workflow.update
    async def approve(self, decision: Decision) -> Receipt:
        """Agree to the plan; what was approved is applied next."""
        return await self._approval.give(decision)

    @approve.validator
    def _check_approval(self, decision: Decision) -> None:
        self._approval.check(decision)

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

    @workflow.update
    async def decide_release(self, decision: ReleaseDecision) -> Receipt:
        """Promote or abort a release under way, or switch back to the old ones while they are kept."""
        said = Decision(decision.by, self._status.rollout_id, f"{decision.service}: {decision.reason}".strip(": "))
        record = DecisionRecord(self._status.environment, f"release.{decision.what}", said)
        await self._call.read(RolloutActivities.record_decision, record)
        self._check_release_decision(decision)  # it may have ended while the word was being recorded
        await self._with_releases().decide(decision)
        about = f" {decision.service}" if decision.service else ""
        return Receipt(self._status.environment, self._status.commit, f"{decision.what}{about}: done")

    @decide_release.validator
    def _check_release_decision(self, decision: ReleaseDecision) -> None:
        if self._releases is None:
            raise ApplicationError("no service changes its release in this rollout", type="Refused")
        self._releases.check(decision)

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
        self._add_steps(validated)
        if validated.has_calendar and self._request.submission.kind != "rollback":
            await self._hold.until_open(validated.delivery, lambda: bool(self._stopped))
            self._give_way()
        return (
            validated.summary if not validated.is_plan_bound else f"{validated.summary}; {await self._bind(validated)}"
        )

    def _add_steps(self, validated: Validated) -> None:
        """What only some rollouts do, each in its place.

        Databases come before the services that need a version; what only the old
        services needed goes when the new ones are proven. Values come once the
        workloads run that read them, before the tests, which judge both; requests
        reach new releases in between. Old releases are taken away before databases
        lose what only they used. What the last step records includes what became
        of the tenants.
        """
        migrations = validated.migrations
        if migrations is not None:
            self._databases = Databases(migrations, validated.delivery, self._request.timeouts)
            if migrations.before is not None:
                self._steps.insert_after("plan", Step(MIGRATE_STEP, self._migrate))
        if validated.releases is not None:
            self._releases = Releases(validated.releases, self._request.timeouts, self._status)
            self._steps.insert_after("deploy", Step(RELEASE_STEP, self._release))
        if validated.has_configuration:
            self._steps.insert_after("deploy", Step(CONFIGURATION_STEP, self._deliver_configuration))
        if validated.core_state:
            self._steps.insert_after("test", Step(TENANTS_STEP, self._deliver_tenants))
            self._steps.replace(Step("status", self._record_delivered, is_past_return=True))
        if migrations is not None and migrations.after is not None:
            self._steps.insert_after("test", Step(CONTRACT_STEP, self._contract))
        if validated.releases is not None:
            self._steps.insert_after("test", Step(CLEANUP_STEP, self._clean_up))

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
            return await self._agreed(f"{waves_line(self._known())}, nothing else")
        request = PlanRequest(self._taken().lease, self._known().first_state)
        plan = await self._call.apply(InfrastructureActivities.plan, request)
        line = (
            f"{plan.creates} to create, {plan.updates} to update, {plan.replaces} to replace, {plan.deletes} to delete"
        )
        if waves := waves_line(self._known()):
            line += f"; then {waves}"
        return await self._agreed(line)

    async def _agreed(self, line: str) -> str:
        validated = self._known()
        await self._approval.wait(validated.approvers, validated.approval_timeout_hours, lambda: bool(self._stopped))
        self._give_way()
        return self._approval.told(line)

    def _give_way(self) -> None:
        if self._stopped:
            raise ApplicationError("a newer commit was merged", type="Superseded", non_retryable=True)

    async def _apply(self) -> str:
        if self._is_core_untouched:
            return "nothing to apply before the waves"
        request = ApplyRequest(self._taken().lease, self._known().first_state)
        done = await self._call.apply(InfrastructureActivities.apply, request)
        repaired = f"; {done.repaired_operations} pending operation(s) repaired" if done.repaired_operations else ""
        line = f"{done.creates} created, {done.updates} updated, {done.replaces} replaced, {done.deletes} deleted"
        return line + repaired

    async def _migrate(self) -> str:
        return await self._with_databases().migrate(self._taken().lease)

    async def _contract(self) -> str:
        return await self._with_databases().contract(self._taken().lease)

    def _with_databases(self) -> Databases:
        assert self._databases is not None  # noqa: S101 - made with the steps that ask
        return self._databases

    async def _deploy(self) -> str:
        validated = self._known()
        if self._is_core_untouched:
            return "no workload changes"
        request = DeployRequest(
            self._status.environment,
            self._status.rollout_id,
            validated.first_state,
            tuple(validated.changed_services),
        )
        ready = await self._call.apply(ServiceActivities.deploy, request)
        return f"{len(ready.services)} workload(s) ready"

    async def _release(self) -> str:
        return await self._with_releases().deliver(self._taken().lease)

    async def _clean_up(self) -> str:
        """Take the old releases away, once nobody can switch back to them any more."""
        kept = await self._with_releases().keep_blue(lambda: bool(self._superseded_by))
        request = ApplyRequest(self._taken().lease, self._known().applied_state)
        done = await self._call.apply(InfrastructureActivities.apply, request)
        return f"old releases {kept}; {done.deletes} object(s) deleted"

    def _with_releases(self) -> Releases:
        assert self._releases is not None  # noqa: S101 - made with the steps that ask
        return self._releases

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
        request = TestRequest(
            self._status.environment,
            self._status.rollout_id,
            validated.commit,
            validated.delivery,
            validated.first_state,
        )
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
            self._tenants_partly = "; ".join(part for part in told if part)
        return fleet.summary.text

    async def _record_delivered(self) -> str:
        if self._partly:
            self._status.failed_step = next(iter(self._partly))
            self._status.failure = "; ".join(self._partly.values())
        request = self._finish_request(self._delivered)
        if self._has_new_tenants:
            await self._finish_at_last(request)
        else:
            await self._call.read(RolloutActivities.finish, request)
        return self._delivered

    @property
    def _delivered(self) -> Outcome:
        return "partly-delivered" if self._partly else "delivered"

    @property
    def _partly(self) -> dict[str, str]:
        """By step, why not all of it was delivered."""
        databases = self._databases.partly if self._databases is not None else {}
        return databases | ({TENANTS_STEP: self._tenants_partly} if self._tenants_partly else {})

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
            releases=self._releases.to_return() if self._releases is not None else None,
        )

    def _to_undo(self) -> MigrationsToUndo | None:
        databases = self._databases
        return databases.to_undo(self._status.environment, self._status.rollout_id) if databases is not None else None

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
        if restored is not None and restored.has_returned_traffic and self._status.restore is not None:
            self._status.restore = replace(self._status.restore, releases=None)
        if restored is not None and not restored.verified:
            self._status.failure += f"; the restore failed at {restored.failed_step}: {restored.failure}"
        elif restored is not None and restored.kept:
            self._status.failure += f"; {restored.kept}"
        request = self._finish_request(outcome, restore_verified=restored is not None and restored.verified)
        finished = await self._finish_at_last(request)
        self._status.revert_branch = finished.revert_branch
        return self._status.ended(outcome)

    async def _finish_at_last(self, request: FinishRequest) -> Finished:
        """Record the end, also when we are being cancelled: without it nobody would know the state."""
        recording = self._call.read_at_last(RolloutActivities.finish, request, "record the end")
        return await finish_despite_cancellation(recording)

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
