"""The environment: one long-lived workflow, whose id is the environment's lock.

It takes submissions, lets those that arrive during a rollout coalesce, and
delivers one at a time. It holds no secret and no body, and starts its own
history afresh long before it grows large.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError
from temporalio.workflow import ParentClosePolicy

from workflows.drift.heal_workflow import HealWorkflow
from workflows.guarded import failure_of
from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import AncestryRequest, ChooseRequest, DecisionRecord, Thawed
from workflows.rollout.models import (
    Decision,
    EnvironmentInput,
    EnvironmentStatus,
    Frozen,
    Receipt,
    RestoreInput,
    RolloutInput,
    RolloutStatus,
    Submission,
)
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow

ROLLOUTS_PER_RUN = 50
PAUSE_AFTER_FAILED_CHOICE = timedelta(seconds=30)
COMMIT_ID_LENGTHS = (40, 64)
Child = workflow.ChildWorkflowHandle[Any, RolloutStatus]


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
        self._current_id = ""
        self._current: Child | None = None
        self._submission: Submission | None = None
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
        if self._is_under_way(submission):
            return Receipt(submission.environment, submission.commit, "under way already")
        if submission not in self._pending:
            self._pending.append(submission)
        message = self._queue_message()
        await self._supersede_by(submission)
        return Receipt(submission.environment, submission.commit, message)

    @submit.validator
    def _check_submission(self, submission: Submission) -> None:
        if submission.environment != self._state.environment:
            raise ApplicationError(f"this is {self._state.environment}, not {submission.environment}", type="Refused")
        if submission.kind != "rollback" and not _is_commit_id(submission.commit):
            raise ApplicationError(f"{submission.commit!r} is not a full commit id", type="Refused")

    @workflow.update
    async def cancel(self, decision: Decision) -> Receipt:
        """Stop the rollout under way; what it did is restored."""
        current = self._running()
        await self._call.read(
            RolloutActivities.record_decision, DecisionRecord(self._state.environment, "cancel", decision)
        )
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
            if frozen.restore is not None:
                await self._restore_again(frozen.restore)
            await self._call.read(RolloutActivities.thaw, Thawed(self._state.environment, frozen.restore, decision))
            self._frozen = None
        finally:
            self._thawing = False
        done = "restored and verified" if frozen.restore is not None else "taken as it is, on your word"
        return Receipt(self._state.environment, "", f"{done}; deliveries go on")

    @workflow.query
    def status(self) -> EnvironmentStatus:
        """The environment as it stands; the rollout under way is asked itself."""
        return EnvironmentStatus(
            environment=self._state.environment,
            current=self._current_id,
            pending=self._pending,
            frozen_reason=self._frozen.reason if self._frozen else "",
            last=self._last,
        )

    def _is_under_way(self, submission: Submission) -> bool:
        """Whether the rollout that runs is of the same commit: webhook, poller and people often bring one merge."""
        running = self._submission if self._current_id else None
        return running is not None and (running.kind, running.commit) == (submission.kind, submission.commit)

    async def _supersede_by(self, submission: Submission) -> None:
        """Let a rollout that waits for approval give way to a newer commit."""
        current, under_way = self._current, self._submission
        if current is None or under_way is None or "heal" in (submission.kind, under_way.kind):
            return
        try:
            if await self._is_wanted_instead(submission, under_way):
                await current.signal(RolloutWorkflow.supersede)
        except FailureError as error:  # queued all the same: it is delivered after the one under way
            workflow.logger.warning("cannot supersede %s: %s", current.id, failure_of("submit", error).message)

    async def _is_wanted_instead(self, submission: Submission, under_way: Submission) -> bool:
        """Whoever rolls back does not want to wait for what can give way; of two commits the newer one counts."""
        if submission.kind == "rollback":
            return workflow.patched("rollbacks-supersede")
        if under_way.kind == "rollback":
            return False
        request = AncestryRequest(older=under_way.commit, newer=submission.commit)
        return await self._call.read(RolloutActivities.is_newer, request)

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
        self._submission = choice.chosen
        if choice.chosen is not None:
            self._current_id = self._new_rollout_id(choice.chosen)  # nobody may see a moment with nothing to do
        return choice.chosen

    def _new_rollout_id(self, submission: Submission) -> str:
        name = f"{'heal-' if submission.kind == 'heal' else ''}{submission.commit[:12] or submission.kind}"
        return f"adx-rollout-{submission.environment}-{name}-{workflow.uuid4().hex[:6]}"

    async def _deliver(self, submission: Submission) -> None:
        self._current = await workflow.start_child_workflow(
            HealWorkflow.run if submission.kind == "heal" else RolloutWorkflow.run,
            RolloutInput(submission, self._state.timeouts),
            id=self._current_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
        try:
            if self._pending and workflow.patched("supersede-at-the-start"):
                await self._supersede_by(self._pending[-1])  # it came while nothing could be told yet
            self._last = await self._current
        except ChildWorkflowError as error:
            why = failure_of("rollout", error).message
            self._frozen = Frozen(f"{self._current_id} ended without a result ({why}): its state is unknown")
            return
        finally:
            self._current, self._current_id = None, ""
        if self._last.outcome == "needs-operator":
            self._frozen = Frozen(self._last.failure, self._last.restore)

    async def _restore_again(self, request: RestoreInput) -> None:
        restore_id = f"{request.rollout_id}-restore-{workflow.uuid4().hex[:6]}"
        result = await workflow.execute_child_workflow(
            RestoreWorkflow.run, request, id=restore_id, parent_close_policy=ParentClosePolicy.ABANDON
        )
        if not result.verified:
            message = f"the restore failed again at {result.failed_step}: {result.failure}"
            raise ApplicationError(message, type="RestoreFailed", non_retryable=True)

    def _running(self) -> Child:
        if self._current is None:
            raise ApplicationError(f"no rollout is under way in {self._state.environment}", type="Refused")
        return self._current

    def _queue_message(self) -> str:
        if self._frozen is not None:
            return "queued; the environment waits for an operator (run `adx restore`)"
        return "queued behind the rollout under way" if self._current_id else "queued"


def _is_commit_id(text: str) -> bool:
    return len(text) in COMMIT_ID_LENGTHS and all(character in "0123456789abcdef" for character in text)
