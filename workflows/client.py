"""What the command line and the receiver may ask of the workflows: submit, look, decide."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from workflows.errors import AdxConnectionError, AdxValidationError
from workflows.fleet.durable import FleetDecision, FleetResult, FleetStatus
from workflows.fleet.workflow import FleetWorkflow
from workflows.intake.models import Intake, TakenIn
from workflows.intake.workflow import IntakeWorkflow
from workflows.models import StepProgress
from workflows.rollout.environment import EnvironmentWorkflow, environment_workflow_id
from workflows.rollout.models import (
    Decision,
    EnvironmentStatus,
    Receipt,
    RolloutStatus,
    Source,
    Submission,
)
from workflows.rollout.releases import release_workflow_id
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.submitting import submit
from workflows.rollout.tenants import fleet_id
from workflows.rollout.workflow import RolloutWorkflow
from workflows.services.deployment import ServiceDeploymentWorkflow
from workflows.services.models import ReleaseDecision, ReleaseStatus


@dataclass
class LiveStatus:
    """An environment, the rollout under way (or the last one), the steps of its restore, and what is said right now.

    ``fleet`` and ``releases`` are filled by whoever wants them, from :meth:`Workflows.fleet_status` and
    :meth:`Workflows.release_statuses`.
    """

    environment: EnvironmentStatus
    rollout: RolloutStatus | None = None
    restore_steps: list[StepProgress] = field(default_factory=list)
    line: str = ""
    fleet: FleetStatus | None = None
    releases: list[ReleaseStatus] = field(default_factory=list)


@dataclass(frozen=True)
class Workflows:
    """A client of ADX's workflows. Raises AdxConnectionError when Temporal is away, AdxValidationError when refused."""

    client: Client
    task_queue: str

    async def submit_commit(self, commit: str, requested_by: str, source: Source) -> str:
        """Have ``commit`` submitted to all its environments, durably; returns once that is certain."""
        name = f"adx-intake-{commit[:12]}-{uuid.uuid4().hex[:8]}"
        with _translated():
            await self.client.start_workflow(
                IntakeWorkflow.run, Intake(commit, requested_by, source), id=name, task_queue=self.task_queue
            )
        return name

    async def deploy(self, intake: Intake) -> TakenIn:
        """Submit and wait for what each environment says."""
        name = f"adx-intake-{intake.commit[:12] or 'head'}-{uuid.uuid4().hex[:8]}"
        with _translated():
            return await self.client.execute_workflow(IntakeWorkflow.run, intake, id=name, task_queue=self.task_queue)

    async def rollback(self, environment: str, commit: str, requested_by: str) -> Receipt:
        """Bring ``environment`` back to ``commit``, or to the delivery before the last where that is empty."""
        submission = Submission(environment, commit, requested_by, "cli", kind="rollback")
        with _translated():
            return await submit(self.client, self.task_queue, submission)

    async def cancel(self, environment: str, decision: Decision) -> Receipt:
        """Stop the rollout under way and restore what it did."""
        with _translated():
            return await self._environment(environment).execute_update(EnvironmentWorkflow.cancel, decision)

    async def restore(self, environment: str, decision: Decision) -> Receipt:
        """Try the failed restore of a frozen environment again."""
        with _translated():
            return await self._environment(environment).execute_update(EnvironmentWorkflow.restore, decision)

    async def approve(self, environment: str, decision: Decision) -> Receipt:
        """Agree to the plan of the rollout that waits for it."""
        handle = self.client.get_workflow_handle_for(RolloutWorkflow.run, await self._current(environment))
        with _translated():
            return await handle.execute_update(RolloutWorkflow.approve, decision)

    async def decide_fleet(self, environment: str, decision: FleetDecision) -> Receipt:
        """Say something to the waves under way; refused, in the words of the rollout, when it does not fit."""
        rollout_id = await self._current(environment)
        if decision.what == "override" and (held := await self._held(rollout_id)) is not None:
            with _translated():
                return await held.execute_update(
                    RolloutWorkflow.override, Decision(decision.by, rollout_id, decision.reason)
                )
        handle = self._fleet(rollout_id)
        try:
            with _translated():
                return await handle.execute_update(FleetWorkflow.decide, decision)
        except NotRunningError as error:
            raise _no_waves(environment) from error

    async def _held(self, rollout_id: str) -> WorkflowHandle[RolloutWorkflow, RolloutStatus] | None:
        """The rollout, when a freeze or a closed window holds it before it has begun anything."""
        handle = self.client.get_workflow_handle_for(RolloutWorkflow.run, rollout_id)
        with _translated():
            status = await handle.query(RolloutWorkflow.status)
        return handle if status.held_until else None

    async def running_fleet(self, environment: str) -> FleetStatus:
        """The waves under way in ``environment``. Raises AdxValidationError when there are none."""
        found = await self.fleet_status(await self._current(environment))
        if found is None:
            raise _no_waves(environment)
        return found

    async def fleet_status(self, rollout_id: str) -> FleetStatus | None:
        """The waves of a rollout, running or ended; None where it has none, or none yet."""
        try:
            with _translated():
                return await self._fleet(rollout_id).query(FleetWorkflow.status)
        except NotRunningError:
            return None

    async def decide_release(self, environment: str, decision: ReleaseDecision) -> Receipt:
        """Say something to the releases under way; refused, in the words of the rollout, when it does not fit."""
        rollout_id = await self._current(environment)
        handle = self.client.get_workflow_handle_for(RolloutWorkflow.run, rollout_id)
        try:
            with _translated():
                return await handle.execute_update(RolloutWorkflow.decide_release, decision)
        except AdxValidationError as error:
            is_over = isinstance(error, NotRunningError)
            why = f"the rollout of {environment} has just ended" if is_over else str(error)
            raise AdxValidationError(why, next_step=_instead_of(decision.what, environment)) from error

    async def release_statuses(self, rollout_id: str, services: Iterable[str]) -> list[ReleaseStatus]:
        """The releases of a rollout, running or ended, in the order of ``services``; those not begun are left out.

        The line of one that says nothing itself is what its activity under way said last.
        """
        found = await asyncio.gather(*(self._release(release_workflow_id(rollout_id, name)) for name in services))
        return [status for status in found if status is not None]

    async def _release(self, workflow_id: str) -> ReleaseStatus | None:
        handle = self.client.get_workflow_handle_for(ServiceDeploymentWorkflow.run, workflow_id)
        try:
            with _translated():
                status = await handle.query(ServiceDeploymentWorkflow.status)
                if not status.line:
                    status.line = await self._heartbeat_line(workflow_id)
                return status
        except NotRunningError:
            return None

    async def environment_status(self, environment: str) -> EnvironmentStatus:
        """The environment alone; empty where nothing was ever submitted."""
        try:
            with _translated():
                return await self._environment(environment).query(EnvironmentWorkflow.status)
        except NotRunningError:
            return EnvironmentStatus(environment)

    async def status(self, environment: str) -> LiveStatus:
        """The environment with its rollout and, while one runs, the restore."""
        found = await self.environment_status(environment)
        if not found.current:
            return LiveStatus(found, found.last)
        try:
            with _translated():
                rollout = await self.client.get_workflow_handle_for(RolloutWorkflow.run, found.current).query(
                    RolloutWorkflow.status
                )
                return await self._with_details(LiveStatus(found, rollout))
        except NotRunningError:  # started, but its first task has not run yet
            return LiveStatus(found)

    async def rollout_status(self, rollout_id: str) -> RolloutStatus:
        """One rollout, running or ended, from its own workflow."""
        with _translated():
            return await self.client.get_workflow_handle_for(RolloutWorkflow.run, rollout_id).query(
                RolloutWorkflow.status
            )

    async def _with_details(self, live: LiveStatus) -> LiveStatus:
        assert live.rollout is not None  # noqa: S101 - the caller has just asked for it
        busy = live.rollout.rollout_id
        if live.rollout.restore_id and live.rollout.phase == "restoring":
            busy = live.rollout.restore_id
            with contextlib.suppress(NotRunningError), _translated():
                live.restore_steps = await self.client.get_workflow_handle_for(RestoreWorkflow.run, busy).query(
                    RestoreWorkflow.steps
                )
        with contextlib.suppress(NotRunningError), _translated():
            live.line = await self._heartbeat_line(busy)
        return live

    async def _heartbeat_line(self, workflow_id: str) -> str:
        """What the activity under way said last."""
        description = await self.client.get_workflow_handle(workflow_id).describe()
        for pending in description.raw_description.pending_activities:
            details = await self.client.data_converter.decode(pending.heartbeat_details.payloads)
            if details and isinstance(details[0], str):
                return details[0]
        return ""

    async def _current(self, environment: str) -> str:
        """The id of the rollout under way. Raises AdxValidationError when there is none."""
        current = (await self.environment_status(environment)).current
        if not current:
            raise AdxValidationError(f"no rollout is under way in {environment}", next_step="see `adx history`")
        return current

    def _fleet(self, rollout_id: str) -> WorkflowHandle[FleetWorkflow, FleetResult]:
        return self.client.get_workflow_handle_for(FleetWorkflow.run, fleet_id(rollout_id))

    def _environment(self, environment: str) -> WorkflowHandle[EnvironmentWorkflow, None]:
        return self.client.get_workflow_handle_for(EnvironmentWorkflow.run, environment_workflow_id(environment))


class NotRunningError(AdxValidationError):
    """The workflow that was asked does not exist (yet)."""


def _instead_of(what: str, environment: str) -> str:
    """What does fit when a word about releases does not."""
    return {
        "promote": f"see `adx watch {environment}`",
        "abort": f"`adx cancel {environment}` restores a rollout that runs in any step, "
        f"`adx rollback {environment}` goes back to what was delivered before",
        "switch-back": f"`adx services abort` takes back a release that has not all requests yet, "
        f"`adx rollback {environment}` goes back to what was delivered before",
    }.get(what, "")


def _no_waves(environment: str) -> AdxValidationError:
    return AdxValidationError(
        f"the rollout of {environment} delivers no tenants in waves now: it has not come to them, has none, or is past "
        "them",
        next_step=f"see `adx status {environment}`; `adx cancel {environment}` stops a rollout in any step",
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Temporal's errors as ADX's own."""
    try:
        yield
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        raise AdxValidationError(_innermost(error)) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise NotRunningError(
                "nothing was ever submitted to this environment", next_step="run `adx deploy`"
            ) from error
        if error.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
            raise AdxConnectionError(
                "no answer in time: Temporal or its workers are busy, or no worker runs",
                next_step="run `adx status`, then `adx up`",
            ) from error
        raise AdxConnectionError(
            f"Temporal does not answer: {error.status.name}", next_step="run `adx status`, then `adx up`"
        ) from error


def _innermost(error: BaseException) -> str:
    while (cause := getattr(error, "cause", None)) is not None:
        error = cause
    return getattr(error, "message", "") or str(error)
