"""The steps of one round of a restore. Workflow code.

::

    UNCONTRACT → (traffic) → repair → reapply → redeploy → UNMIGRATE → verify → CONFIGURATION

Those of databases, of releases (``returning.py``) and of configuration are there where the rollout had come to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from temporalio import workflow

from workflows.configuration.durable import ConfigurationRestore
from workflows.configuration.workflow import restored_line
from workflows.guarded import Step
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, RestoreRequest, StackLease
from workflows.invoke import ActivityCall
from workflows.migrations.in_rollout import CONTRACT_STEP, MIGRATE_STEP, UNCONTRACT_STEP, UNMIGRATE_STEP, take_back
from workflows.migrations.models import MigrationsToUndo
from workflows.rollout.models import RestoreInput
from workflows.rollout.returning import ReturningReleases
from workflows.rollout.step_names import CONFIGURATION_STEP, RESTORE_STEPS
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest


@dataclass
class Restored:
    """What has come of the rounds so far; ``has_returned``: requests go to the old releases again."""

    objects: int = 0
    kept: str = ""
    has_returned: bool = False

    def note_returned(self) -> None:
        """Requests go to the old releases again, and stay there."""
        self.has_returned = True


@dataclass(frozen=True)
class Round:
    """Round ``number``, from 1 on; it writes what it has come to into ``restored``."""

    request: RestoreInput
    call: ActivityCall
    number: int
    restored: Restored

    def steps(self) -> list[Step]:
        """What is to be done, in order."""
        request = self.request
        runs = (self._repair, self._reapply, self._redeploy, self._verify)
        steps = [Step(name, run) for name, run in zip(RESTORE_STEPS, runs, strict=True)]
        if request.configured_state:
            steps.append(Step(CONFIGURATION_STEP, self._configure))
        # Once given back, requests stay where they are: to do it again could start the new releases again.
        if request.releases is not None and not self.restored.has_returned:
            returning = ReturningReleases(
                request, request.releases, self.call, self.number, self.restored.note_returned
            )
            steps = returning.among(steps)
        return steps if request.migrations is None else self._with_databases(request.migrations, steps)

    @property
    def _lease(self) -> StackLease:
        return StackLease(self.request.environment, self.request.rollout_id, self.request.fencing_token)

    @property
    def _of_snapshot(self) -> RestoreRequest:
        return RestoreRequest(self._lease, self.request.snapshot, self.number)

    async def _repair(self) -> str:
        count = await self.call.apply(InfrastructureActivities.repair, self._of_snapshot)
        return f"{count} pending operation(s) repaired" if count else "nothing to repair"

    async def _reapply(self) -> str:
        """A round after the first reads the cluster afresh before it applies."""
        base = self.request.base_state or ""
        request = ApplyRequest(self._lease, base, refresh=self.number > 1, is_restore=True, round_number=self.number)
        applied = await self.call.apply(InfrastructureActivities.apply, request)
        return f"{applied.updates} updated, {applied.creates} created, {applied.deletes} deleted"

    async def _redeploy(self) -> str:
        asked = self.request
        if asked.base_state is None:
            return "nothing was running before"
        services = tuple(asked.changed_services)
        request = DeployRequest(
            asked.environment, asked.rollout_id, asked.base_state, services, is_restore=True, round_number=self.number
        )
        ready = await self.call.apply(ServiceActivities.deploy, request)
        return f"{len(ready.services)} workload(s) ready"

    async def _verify(self) -> str:
        verified = await self.call.apply(InfrastructureActivities.verify_restore, self._of_snapshot)
        self.restored.objects = verified.objects
        healed = f"; drift undone: {', '.join(verified.healed_drift)}" if verified.healed_drift else ""
        return f"{verified.objects} objects are as they were{healed}"

    async def _configure(self) -> str:
        asked = self.request
        request = ConfigurationRestore(
            asked.environment,
            asked.rollout_id,
            asked.configured_state,
            asked.requested_by,
            self.number,
            asked.timeouts,
        )
        return await restored_line(request)

    def _with_databases(self, asked: MigrationsToUndo, steps: list[Step]) -> list[Step]:
        """What the old services need comes back before they do; what they never knew goes after them."""
        place = [step.name for step in steps].index("verify")
        uncontract = Step(UNCONTRACT_STEP, partial(self._uncontract, asked))
        unmigrate = Step(UNMIGRATE_STEP, partial(self._unmigrate, asked))
        return [uncontract, *steps[:place], unmigrate, *steps[place:]]

    async def _uncontract(self, asked: MigrationsToUndo) -> str:
        if not asked.has_after or asked.migrations.after is None:
            return "nothing was contracted"
        return await take_back(asked, CONTRACT_STEP, asked.migrations.after, self._turn, self.request.timeouts)

    async def _unmigrate(self, asked: MigrationsToUndo) -> str:
        if asked.migrations.before is None:
            return "nothing was expanded"
        line = await take_back(asked, MIGRATE_STEP, asked.migrations.before, self._turn, self.request.timeouts)
        self.restored.kept = line if "kept" in line else ""
        return line

    @property
    def _turn(self) -> str:
        return f"{workflow.info().run_id}.{self.number}"
