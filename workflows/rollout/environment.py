"""The environment: one long-lived workflow, whose id is the environment's lock.

It takes submissions, lets those that arrive during a rollout coalesce, and
delivers one at a time. It holds no secret and no body, and starts its own
history afresh long before it grows large.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from workflows.guarded import failure_of
    from workflows.invoke import ActivityCall
    from workflows.rollout.activities import RolloutActivities
    from workflows.rollout.models import (
        ChooseRequest,
        Decision,
        EnvironmentInput,
        EnvironmentStatus,
        Frozen,
        Receipt,
        RestoreInput,
        RolloutInput,
        RolloutStatus,
        Submission,
        Thawed,
    )
    from workflows.rollout.restore import RestoreWorkflow
    from workflows.rollout.workflow import RolloutWorkflow

ROLLOUTS_PER_RUN = 50
PAUSE_AFTER_FAILED_CHOICE = timedelta(seconds=30)
COMMIT_ID_LENGTHS = (40, 64)


def environment_workflow_id(environment: str) -> str:
    """The workflow id that is the lock of ``environment``."""
    return f"adx-environment-{environment}"


@workflow.defn
class EnvironmentWorkflow:
    """Takes submissions for one environment and delivers them one after the other."""

    @workflow.init
    def __init__(self, state: EnvironmentInput) -> None:
        self._state = state
        self._call = ActivityCall(state.timeouts)
        self._pending = list(state.pending)
        self._frozen = state.frozen
        self._last = state.last
        self._current: workflow.ChildWorkflowHandle[RolloutWorkflow, RolloutStatus] | None = None
        self._cancel_requested = False
        self._thawing = False

    @workflow.run
    async def run(self, state: EnvironmentInput) -> None:  # noqa: ARG002 - the state was taken by __init__
        """Deliver what is submitted, until the history is long enough to start afresh."""
        delivered = 0
        while delivered < ROLLOUTS_PER_RUN and not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: bool(self._pending) and self._frozen is None)
            chosen = await self._choose()
            if chosen is not None:
                await self._deliver(chosen)
                delivered += 1
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            EnvironmentInput(self._state.environment, self._pending, self._frozen, self._last, self._state.timeouts)
        )

    @workflow.update
    async def submit(self, submission: Submission) -> Receipt:
        """Queue ``submission``. A rollout that waits for approval gives way to it."""
        if submission not in self._pending:
            self._pending.append(submission)
        if self._current is not None and submission.kind == "deliver" and submission.commit != self._current_commit():
            await self._current.signal(RolloutWorkflow.supersede)
        return Receipt(submission.environment, submission.commit, self._queue_message())

    @submit.validator
    def _check_submission(self, submission: Submission) -> None:
        if submission.environment != self._state.environment:
            raise ApplicationError(f"this is {self._state.environment}, not {submission.environment}", type="Refused")
        if submission.kind == "deliver" and not _is_commit_id(submission.commit):
            raise ApplicationError(f"{submission.commit!r} is not a full commit id", type="Refused")

    @workflow.update
    async def approve(self, decision: Decision) -> Receipt:
        """Agree to the plan of the rollout under way, by one who may."""
        current = self._running()
        await self._call.read(RolloutActivities.check_approval, decision)
        await current.signal(RolloutWorkflow.approve, decision)
        return Receipt(self._state.environment, "", f"{current.id} approved by {decision.by}")

    @workflow.update
    async def cancel(self, decision: Decision) -> Receipt:
        """Stop the rollout under way; what it did is restored."""
        current = self._running()
        await self._call.read(RolloutActivities.record_decision, decision)
        self._cancel_requested = True
        current.cancel()
        return Receipt(self._state.environment, "", f"{current.id} is being cancelled and restored")

    @workflow.update
    async def restore(self, decision: Decision) -> Receipt:
        """Try the failed restore of a frozen environment again; it is thawed only when that is verified."""
        frozen = self._frozen
        if frozen is None or self._thawing:
            raise ApplicationError(f"{self._state.environment} is not waiting for an operator", type="Refused")
        self._thawing = True
        try:
            await self._restore_again(frozen.restore, decision)
        finally:
            self._thawing = False
        return Receipt(self._state.environment, "", "restored and verified; deliveries go on")

    @workflow.query
    def status(self) -> EnvironmentStatus:
        """The environment as it stands; the rollout under way is asked itself."""
        return EnvironmentStatus(
            environment=self._state.environment,
            current=self._current.id if self._current else "",
            pending=self._pending,
            frozen_reason=self._frozen.reason if self._frozen else "",
            last=self._last,
        )

    async def _choose(self) -> Submission | None:
        """The next submission; the newest wins. Submissions that come meanwhile stay queued."""
        offered = list(self._pending)
        try:
            choice = await self._call.read(RolloutActivities.choose, ChooseRequest(self._state.environment, offered))
        except ActivityError as error:
            workflow.logger.warning("cannot choose the next commit: %s", failure_of("choose", error).message)
            await asyncio.sleep(PAUSE_AFTER_FAILED_CHOICE.total_seconds())
            return None
        self._pending = choice.remaining + self._pending[len(offered) :]
        return choice.chosen

    async def _deliver(self, submission: Submission) -> None:
        name = submission.commit[:12] or submission.kind
        rollout_id = f"adx-rollout-{submission.environment}-{name}-{workflow.uuid4().hex[:6]}"
        self._submission = submission
        self._current = await workflow.start_child_workflow(
            RolloutWorkflow.run,
            RolloutInput(submission, self._state.timeouts),
            id=rollout_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
        try:
            self._last = await self._current
        finally:
            self._current = None
        if self._last.outcome == "needs-operator" and self._last.restore is not None:
            self._frozen = Frozen(self._last.failure, self._last.restore)

    async def _restore_again(self, request: RestoreInput, decision: Decision) -> None:
        restore_id = f"{request.rollout_id}-restore-{workflow.uuid4().hex[:6]}"
        result = await workflow.execute_child_workflow(
            RestoreWorkflow.run, request, id=restore_id, parent_close_policy=ParentClosePolicy.ABANDON
        )
        if not result.verified:
            message = f"the restore failed again at {result.failed_step}: {result.failure}"
            raise ApplicationError(message, type="RestoreFailed", non_retryable=True)
        await self._call.read(RolloutActivities.thaw, Thawed(request, decision))
        self._frozen = None

    def _running(self) -> workflow.ChildWorkflowHandle[RolloutWorkflow, RolloutStatus]:
        if self._current is None:
            raise ApplicationError(f"no rollout is under way in {self._state.environment}", type="Refused")
        return self._current

    def _current_commit(self) -> str:
        return self._submission.commit if self._current else ""

    def _queue_message(self) -> str:
        if self._frozen is not None:
            return "queued; the environment waits for an operator (run `adx restore`)"
        return "queued behind the rollout under way" if self._current else "queued"


def _is_commit_id(text: str) -> bool:
    return len(text) in COMMIT_ID_LENGTHS and all(character in "0123456789abcdef" for character in text)
