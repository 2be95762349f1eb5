"""The guarded change of one database, as a workflow: the operation of a person or of the API at one tenant."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

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
    outliving,
)
from workflows.invoke import ActivityCall
from workflows.migrations.activities import TargetActivities
from workflows.migrations.models import (
    DatabaseMigrationInput,
    DatabaseMigrationStatus,
    DatabaseRestoreInput,
    MigrationLease,
    PrepareRequest,
    TargetPlanned,
    TargetRequest,
    TargetResult,
)
from workflows.migrations.preparing import PrepareActivities
from workflows.models import StepProgress

STEPS = ("validate", "protect", "execute", "verify")
TAKEN_OVER = "StaleFencingToken"


@workflow.defn
class DatabaseMigrationWorkflow:
    """validate → protect → execute → verify; restored by a child on any failure after *protect*."""

    @workflow.init
    def __init__(self, request: DatabaseMigrationInput) -> None:
        self._request = request
        self._call = ActivityCall(request.timeouts.for_migrations())
        self._lease = MigrationLease(request.wanted.environment, workflow.info().workflow_id)
        self._targets = self._target = ""
        self._plan: TargetPlanned | None = None
        self._status = DatabaseMigrationStatus(
            operation_id=self._lease.operation_id,
            environment=self._lease.environment,
            target="",
            requested_by=request.wanted.requested_by,
            steps=[StepProgress(name) for name in STEPS],
        )

    @workflow.run
    async def run(self, request: DatabaseMigrationInput) -> DatabaseMigrationStatus:  # noqa: ARG002 - taken by __init__
        """Migrate the database that is wanted; the status returned is the final one."""
        try:
            outcome = await guarded_change(
                before_snapshot=[Step("validate", self._validate)],
                snapshot=Step("protect", self._protect),
                after_snapshot=[Step("execute", self._execute), Step("verify", self._verify)],
                restore=self._restore,
                progress=self._status.steps,
            )
        except NothingToChange:
            return self._ended("nothing-to-change")
        return self._ended("delivered") if outcome.failure is None else await self._not_delivered(outcome)

    @workflow.query
    def status(self) -> DatabaseMigrationStatus:
        """The migration as it stands."""
        return self._status

    async def _validate(self) -> str:
        asked = PrepareRequest(self._lease.operation_id, self._request.wanted)
        prepared = await self._call.read(PrepareActivities.prepare_operation, asked)
        if not prepared.chosen:
            raise NothingToChange("there is no such database")
        self._targets, self._target = prepared.targets, prepared.chosen[0]
        self._status.target = self._target
        self._plan = await self._call.apply(TargetActivities.plan_target, self._about())
        self._status.version = self._plan.from_version
        if not self._plan.migrations:
            await self._call.apply(TargetActivities.verify_target, self._about())
            raise NothingToChange(f"it has version {self._plan.to_version}")
        names = ", ".join(one.partition("/")[2] for one in self._plan.migrations)
        return f"{self._plan.from_version} → {self._plan.to_version}: {names}"

    async def _protect(self) -> str:
        return await self._call.apply(TargetActivities.protect_target, self._about())

    async def _execute(self) -> str:
        return f"{await self._call.apply(TargetActivities.execute_target, self._about())} script(s)"

    async def _verify(self) -> str:
        result = await self._call.apply(TargetActivities.verify_target, self._about())
        self._status.version = result.version
        return f"version {result.version}"

    async def _restore(self, failure: Failure) -> TargetResult | None:
        """Start the restore as a child that outlives us, and await it whatever happens to us.

        Not where another attempt has taken over: it would take the database from whoever is in charge now.
        """
        if _is_taken_over(failure):
            return None
        why = "cancelled" if failure.is_cancelled else failure.message
        request = DatabaseRestoreInput(self._about(why), self._request.timeouts)
        return await outliving(DatabaseRestoreWorkflow.run, request, f"{self._lease.operation_id}-restore")

    async def _not_delivered(self, outcome: GuardedOutcome[TargetResult | None]) -> DatabaseMigrationStatus:
        failure, restored = outcome.failure, outcome.restored
        assert failure is not None  # noqa: S101 - only called for a failure
        self._status.failure = failure.message
        if restored is not None:
            self._status.version = restored.version
            self._status.failure = restored.why or failure.message
            is_cancelled = failure.is_cancelled and restored.outcome == "restored"
            return self._ended("cancelled" if is_cancelled else restored.outcome)
        if self._target and not _is_taken_over(failure):
            await finish_despite_cancellation(self._tell_refused(failure.message))
        return self._ended("cancelled" if failure.is_cancelled else "refused")

    async def _tell_refused(self, why: str) -> None:
        try:
            await self._call.apply(TargetActivities.refuse_target, self._about(why))
        except ActivityError as error:  # the outcome says it all the same
            workflow.logger.warning("not recorded: %s", failure_of("refuse", error).message)

    def _about(self, reason: str = "") -> TargetRequest:
        return TargetRequest(
            self._lease,
            self._targets,
            self._target,
            accepts_loss=self._request.wanted.accepts_loss,
            reason=reason,
            accepted_by=self._request.wanted.requested_by,
        )

    def _ended(self, outcome: str) -> DatabaseMigrationStatus:
        self._status.outcome = outcome
        return self._status


def _is_taken_over(failure: Failure) -> bool:
    """Whether another attempt is in charge of the database now, which says what becomes of it."""
    return failure.error_type == TAKEN_OVER and workflow.patched("no-restore-when-taken-over")


@workflow.defn
class DatabaseRestoreWorkflow:
    """Brings one database back; tried in rounds, since a server may be away for a while. Never raises.

    Where another attempt takes over meanwhile it is that one's.
    """

    @workflow.run
    async def run(self, request: DatabaseRestoreInput) -> TargetResult:
        """Restore; the result says what became of it."""
        call, why = ActivityCall(request.timeouts.for_migrations()), ""
        for number in range(1, RESTORE_ROUNDS + 1):
            try:
                return await call.apply(TargetActivities.restore_target, request.about)
            except ActivityError as error:
                failure = failure_of("restore", error)
                why = failure.message
                if _is_taken_over(failure):
                    break
            if number < RESTORE_ROUNDS:
                await workflow.sleep(PAUSE_BETWEEN_ROUNDS_SECONDS)
        return TargetResult(request.about.target, "needs-operator", 0, f"{request.about.reason}; not taken back: {why}")
