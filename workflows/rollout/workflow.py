"""One rollout: the guarded change of an environment, from a commit to a verified cluster or back."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.configuration.workflow import deliver_configuration
from workflows.guarded import Failure, NothingToChange, Step, finish_despite_cancellation, guarded_change, outliving
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.invoke import ActivityCall
from workflows.migrations.in_rollout import CONTRACT_STEP, MIGRATE_STEP
from workflows.models import Outcome
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import DecisionRecord, Finished, FinishRequest, Validated, ValidateRequest
from workflows.rollout.approval import Approval
from workflows.rollout.as_one import AppliedAsOne
from workflows.rollout.course import Course
from workflows.rollout.databases import Databases
from workflows.rollout.holding import Hold
from workflows.rollout.models import Decision, Receipt, RestoreResult, RolloutInput, RolloutStatus
from workflows.rollout.outcomes import not_delivered
from workflows.rollout.releases import Releases
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.step_list import StepList
from workflows.rollout.step_names import CLEANUP_STEP, CONFIGURATION_STEP, DELIVERY_STEPS, RELEASE_STEP, TENANTS_STEP
from workflows.rollout.tenants import Tenants
from workflows.services.models import ReleaseDecision


@workflow.defn
class RolloutWorkflow:
    """validate → snapshot → plan → apply → deploy → test → status; restored on any failure after the snapshot."""

    @workflow.init
    def __init__(self, request: RolloutInput) -> None:
        submission = request.submission
        self._call = ActivityCall(request.timeouts, submission.environment)
        self._status = RolloutStatus.begun(workflow.info().workflow_id, submission, DELIVERY_STEPS)
        self._course = Course(submission, request.timeouts, self._status, Tenants(self._call, request.timeouts))
        self._hold, self._approval = Hold(self._call, self._status), Approval(self._call, self._status)
        self._stopped: Outcome | None = None
        self._superseded_by = ""
        self._after_snapshot = [
            Step("plan", self._plan),
            Step("apply", self._apply),
            Step("deploy", self._deploy),
            Step("test", self._test),
            Step("status", self._record_delivered),
        ]
        self._steps = StepList(self._after_snapshot, self._status.steps)

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
            return await self._end("nothing-to-change")
        if outcome.failure is None:
            return self._status.ended(self._course.delivered)
        self._course.note(outcome.failure)
        return await self._end(self._outcome_of(outcome.failure, outcome.restored), outcome.restored)

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
        return await self._hold.override(decision)

    @override.validator
    def _check_override(self, decision: Decision) -> None:
        self._hold.check(decision)

    @workflow.update
    async def decide_release(self, decision: ReleaseDecision) -> Receipt:
        """Promote or abort a release under way, or switch back to the old ones while they are kept."""
        said = Decision(decision.by, self._status.rollout_id, f"{decision.service}: {decision.reason}".strip(": "))
        record = DecisionRecord(self._status.environment, f"release.{decision.what}", said)
        await self._call.read(RolloutActivities.record_decision, record)
        self._check_release_decision(decision)  # it may have ended while the word was being recorded
        await self._course.with_releases.decide(decision)
        about = f" {decision.service}" if decision.service else ""
        return Receipt(self._status.environment, self._status.commit, f"{decision.what}{about}: done")

    @decide_release.validator
    def _check_release_decision(self, decision: ReleaseDecision) -> None:
        if self._course.releases is None:
            raise ApplicationError("no service changes its release in this rollout", type="Refused")
        self._course.releases.check(decision)

    @workflow.signal
    async def supersede(self) -> None:
        """A newer commit waits: give way if nothing has been applied yet, else once what is under way has ended."""
        if self._status.waiting_for_approval or self._status.held_until:
            self._stopped = "superseded"
        self._superseded_by = "a newer commit"
        await self._course.tenants.supersede(self._superseded_by)

    async def _validate(self) -> str:
        submission = self._course.submission
        validated = await self._call.read(
            RolloutActivities.validate, ValidateRequest(self._status.rollout_id, submission)
        )
        self._course.validated = validated
        self._status.commit = validated.commit
        self._status.base_commit = validated.base_commit or ""
        self._status.summary = validated.summary
        if validated.changed_units == 0:
            raise NothingToChange("nothing to change")
        self._add_steps(validated)
        if validated.has_calendar and submission.kind != "rollback":
            await self._hold.until_open(validated.delivery, lambda: bool(self._stopped))
            self._give_way()
        return f"{validated.summary}; {await self._bind()}" if validated.is_plan_bound else validated.summary

    def _add_steps(self, validated: Validated) -> None:
        """What only some rollouts do, each in its place.

        Databases come before the services that need a version; what only the old
        services needed goes when the new ones are proven. Values come once the
        workloads run that read them, before the tests, which judge both; requests
        reach new releases in between. Old releases are taken away before databases
        lose what only they used. What the last step records includes what became
        of the tenants.
        """
        course, migrations = self._course, validated.migrations
        if migrations is not None:
            course.databases = Databases(migrations, validated.delivery, course.timeouts)
            if migrations.before is not None:
                self._steps.insert_after("plan", Step(MIGRATE_STEP, self._migrate))
        if validated.releases is not None:
            course.releases = Releases(validated.releases, course.timeouts, self._status)
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

    async def _bind(self) -> str:
        bound = await self._call.apply(RolloutActivities.bind, self._course.bind_request())
        pull_request = f", pull request {bound.pull_request}" if bound.pull_request else ""
        return f"plan {bound.digest[:12]} as previewed for {bound.head[:12]}{pull_request}"

    async def _take_snapshot(self) -> str:
        taken = await self._call.apply(InfrastructureActivities.snapshot, self._course.snapshot_request())
        self._course.snapshot = taken
        return f"{taken.objects} objects, {taken.snapshot[:12]}"

    @property
    def _as_one(self) -> AppliedAsOne:
        return AppliedAsOne(self._call, self._course.known, self._course.lease)

    async def _plan(self) -> str:
        line, validated = await self._as_one.plan(), self._course.known
        await self._approval.wait(validated.approvers, validated.approval_timeout_hours, lambda: bool(self._stopped))
        self._give_way()
        return self._approval.told(line)

    def _give_way(self) -> None:
        if self._stopped:
            raise ApplicationError("a newer commit was merged", type="Superseded", non_retryable=True)

    async def _migrate(self) -> str:
        return await self._course.with_databases.migrate(self._course.lease)

    async def _apply(self) -> str:
        return await self._as_one.apply()

    async def _deploy(self) -> str:
        return await self._as_one.deploy()

    async def _deliver_configuration(self) -> str:
        return await deliver_configuration(self._course.configuration_update())

    async def _release(self) -> str:
        return await self._course.with_releases.deliver(self._course.lease)

    async def _test(self) -> str:
        return await self._as_one.test()

    async def _clean_up(self) -> str:
        """Take the old releases away, once nobody can switch back to them any more."""
        kept = await self._course.with_releases.keep_blue(lambda: bool(self._superseded_by))
        deleted = await self._as_one.without_old_releases()
        return f"old releases {kept}; {deleted} object(s) deleted"

    async def _contract(self) -> str:
        return await self._course.with_databases.contract(self._course.lease)

    async def _deliver_tenants(self) -> str:
        course = self._course
        return await course.tenants.deliver(course.lease, course.known, lambda: self._superseded_by)

    async def _record_delivered(self) -> str:
        self._course.note_partly()
        request = self._course.finish_request(self._course.delivered)
        if self._course.tenants.are_new:
            await self._finish_at_last(request)
        else:
            await self._call.read(RolloutActivities.finish, request)
        return self._course.delivered

    async def _restore(self, failure: Failure) -> RestoreResult:
        """Start the restore as a child that outlives us, and await it whatever happens to us."""
        self._course.note(failure)
        self._status.phase = "restoring"
        self._status.restore_id = f"{self._status.rollout_id}-restore"
        self._status.restore = self._course.restore_input()
        return await outliving(RestoreWorkflow.run, self._status.restore, self._status.restore_id)

    def _outcome_of(self, failure: Failure, restored: RestoreResult | None) -> Outcome:
        if restored is not None and not restored.verified:
            return "needs-operator"
        return self._stopped or not_delivered(failure, was_restored=restored is not None)

    async def _end(self, outcome: Outcome, restored: RestoreResult | None = None) -> RolloutStatus:
        """Record an end other than delivery, also when we are being cancelled."""
        if restored is not None:
            self._course.note_restored(restored)
        is_verified = restored is not None and restored.verified
        finished = await self._finish_at_last(self._course.finish_request(outcome, restore_verified=is_verified))
        self._status.revert_branch = finished.revert_branch
        return self._status.ended(outcome)

    async def _finish_at_last(self, request: FinishRequest) -> Finished:
        """Record the end, also when we are being cancelled: without it nobody would know the state."""
        recording = self._call.read_at_last(RolloutActivities.finish, request, "record the end")
        return await finish_despite_cancellation(recording)
