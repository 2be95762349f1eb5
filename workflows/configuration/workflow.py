"""``configuration_update_workflow``: validate → back up → apply → notify → health, restored on any failure after it.

Started by a rollout as a child, after the workloads run. Its restore is a
child of its own, so that nothing that ends the update ends it too.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from workflows.configuration.activities import ConfigurationActivities
from workflows.configuration.durable import (
    BackedUp,
    ConfigurationRestore,
    ConfigurationRestored,
    ConfigurationUpdate,
    Notified,
    PlannedUpdate,
    UpdateStatus,
)
from workflows.guarded import (
    PAUSE_BETWEEN_ROUNDS_SECONDS,
    RESTORE_ROUNDS,
    Failure,
    NothingToChange,
    Step,
    failure_of,
    finish_despite_cancellation,
    guarded_change,
    outliving,
)
from workflows.invoke import ActivityCall


@workflow.defn
class ConfigurationUpdateWorkflow:
    """Delivers the values of one state. Never raises for what is expected: the status returned says how it ended."""

    @workflow.init
    def __init__(self, update: ConfigurationUpdate) -> None:
        self._update = update
        self._call = ActivityCall(update.timeouts, update.environment)
        self._backed_up: BackedUp | None = None
        self._status = UpdateStatus(update.environment, update.rollout_id)

    @workflow.run
    async def run(self, update: ConfigurationUpdate) -> UpdateStatus:  # noqa: ARG002 - taken by __init__
        """Deliver the values of ``update.state``."""
        try:
            outcome = await guarded_change(
                before_snapshot=[Step("validate", self._validate)],
                snapshot=Step("back up", self._back_up),
                after_snapshot=[
                    Step("apply", self._apply),
                    Step("notify", self._notify),
                    Step("health", self._check_health),
                ],
                restore=self._restore,
                progress=self._status.steps,
            )
        except NothingToChange:
            return self._end("nothing-to-change")
        failure, restored = outcome.failure, outcome.restored
        if failure is None:
            return self._end("delivered")
        self._status.failure, self._status.failed_step = failure.message, failure.step
        if restored is None:
            return self._end("cancelled" if failure.is_cancelled else "failed")
        if not restored.verified:
            self._status.failure += f"; the values before could not be restored: {restored.failure}"
            return self._end("needs-operator")
        return self._end("cancelled" if failure.is_cancelled else "restored")

    @workflow.query
    def status(self) -> UpdateStatus:
        """The update as it stands."""
        return self._status

    async def _validate(self) -> str:
        checked = await self._call.read(ConfigurationActivities.check_values, self._update)
        if not checked.values:
            raise NothingToChange("no value changes")
        return f"{checked.values} value(s) of {', '.join(checked.services)}"

    async def _back_up(self) -> str:
        self._backed_up = await self._call.read(ConfigurationActivities.back_up_values, self._update)
        self._status.summary = f"{self._backed_up.values} value(s) of {', '.join(self._backed_up.services)}"
        return f"plan {self._backed_up.plan[:12]}"

    async def _apply(self) -> str:
        written = await self._call.read(ConfigurationActivities.write_values, self._planned())
        told = "announced" if written.is_announced else "no shared cache to announce them to"
        return f"{written.values} value(s) written, {told}"

    async def _notify(self) -> str:
        self._status.notified = await self._call.read(ConfigurationActivities.notify_services, self._planned())
        return notified_line(self._status.notified)

    async def _check_health(self) -> str:
        healthy = await self._call.apply(ConfigurationActivities.check_health, self._planned())
        gates = f", gates {', '.join(healthy.gates)}" if healthy.gates else ""
        return f"{len(healthy.services)} service(s) well{gates}"

    async def _restore(self, failure: Failure) -> ConfigurationRestored:
        self._status.failure, self._status.failed_step = failure.message, failure.step
        request = restore_of(self._update)
        restored = await outliving(ConfigurationRestoreWorkflow.run, request, f"{workflow.info().workflow_id}-restore")
        if self._backed_up is not None and restored.verified:
            undo = replace(self._planned(), is_undo=True)
            # What a service says to it changes nothing: the values are back.
            try:
                await self._call.read(ConfigurationActivities.notify_services, undo)
            except FailureError as error:  # told, as above
                workflow.logger.warning(
                    "services were not told of the restore: %s", failure_of("notify", error).message
                )
        return restored

    def _planned(self) -> PlannedUpdate:
        assert self._backed_up is not None  # noqa: S101 - set by the step before any that asks
        return PlannedUpdate(self._update, self._backed_up.plan)

    def _end(self, outcome: str) -> UpdateStatus:
        self._status.outcome = outcome
        return self._status


@workflow.defn
class ConfigurationRestoreWorkflow:
    """Brings back what was there before an update, in rounds; the result says whether it is so. Never raises."""

    @workflow.run
    async def run(self, request: ConfigurationRestore) -> ConfigurationRestored:
        """Restore what ``request`` names."""
        restored = ConfigurationRestored(verified=False)
        for number in range(1, RESTORE_ROUNDS + 1):
            try:
                restored = await restore_once(replace(request, round_number=number))
            except FailureError as error:  # becomes the result
                restored = ConfigurationRestored(verified=False, failure=failure_of("restore", error).message)
            if restored.verified:
                break
            if number < RESTORE_ROUNDS:
                await asyncio.sleep(PAUSE_BETWEEN_ROUNDS_SECONDS)
        return restored


async def restore_once(request: ConfigurationRestore) -> ConfigurationRestored:
    """One round, within any workflow."""
    return await ActivityCall(request.timeouts, request.environment).read(
        ConfigurationActivities.restore_values, request
    )


async def restored_line(request: ConfigurationRestore) -> str:
    """One round as the step of a restore: a line about it. Raises when the values are not what they were."""
    restored = await restore_once(request)
    if not restored.verified:
        raise ApplicationError(restored.failure, type="RestoreNotVerified", non_retryable=True)
    warning = f"; {restored.warning}" if restored.warning else ""
    return f"{restored.values} value(s) are what they were{warning}"


def restore_of(update: ConfigurationUpdate) -> ConfigurationRestore:
    """What undoes ``update``."""
    return ConfigurationRestore(
        update.environment, update.rollout_id, update.state, update.by, timeouts=update.timeouts
    )


async def deliver_configuration(update: ConfigurationUpdate) -> str:
    """The rollout's step: the update as a child that outlives us, awaited; a line about it. Raises when it failed."""
    child = await workflow.start_child_workflow(
        ConfigurationUpdateWorkflow.run,
        update,
        id=f"{update.rollout_id}-configuration",
        parent_close_policy=ParentClosePolicy.ABANDON,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    status = await finish_or_cancel(child)
    if status.outcome == "nothing-to-change":
        return "no value changes"
    if status.outcome == "cancelled":
        raise asyncio.CancelledError
    if status.outcome != "delivered":
        message = f"configuration, {status.failed_step}: {status.failure}"
        raise ApplicationError(message, type="ConfigurationRestored", non_retryable=True)
    return f"{status.summary}; {notified_line(status.notified)}"


async def finish_or_cancel(
    child: workflow.ChildWorkflowHandle[ConfigurationUpdateWorkflow, UpdateStatus],
) -> UpdateStatus:
    """The child's end; a cancellation of ours is passed on to it, and what it restores is awaited."""
    waiting = asyncio.ensure_future(_result(child))
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        child.cancel()
        return await finish_despite_cancellation(waiting)


async def _result(child: workflow.ChildWorkflowHandle[ConfigurationUpdateWorkflow, UpdateStatus]) -> UpdateStatus:
    return await child


def notified_line(notified: Notified) -> str:
    """Who acknowledged: for a person."""
    if not notified.acknowledged and not notified.silent:
        return "no service has a webhook"
    silent = f", not {', '.join(sorted(notified.silent))}" if notified.silent else ""
    return f"{len(notified.acknowledged)} acknowledged{silent}"
