"""A restore's part in the way back from new releases: requests go to the old ones before the new ones go.

::

    the old ones still run:  TRAFFIC → repair → reapply → redeploy → verify
    they were taken away:    repair → REBUILD → TRAFFIC → reapply → redeploy → verify

Workflow code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio import workflow

from workflows.guarded import Step
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, StackLease
from workflows.invoke import ActivityCall
from workflows.rollout.models import RestoreInput
from workflows.rollout.step_names import REBUILD_STEP, TRAFFIC_STEP
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest, ReleaseLease, ReleasesToReturn, ReturnRequest
from workflows.services.release_activities import ReleaseActivities


@dataclass(frozen=True)
class ReturningReleases:
    """The steps of one round, ``number``, of a restore that has releases to return."""

    request: RestoreInput
    releases: ReleasesToReturn
    call: ActivityCall
    number: int
    returned: Callable[[], None]

    def among(self, steps: list[Step]) -> list[Step]:
        """``steps`` with these in their places."""
        traffic = Step(TRAFFIC_STEP, self._traffic)
        if not self.releases.is_blue_gone:
            return [traffic, *steps]
        place = [step.name for step in steps].index("reapply")
        return [*steps[:place], Step(REBUILD_STEP, self._rebuild), traffic, *steps[place:]]

    async def _rebuild(self) -> str:
        """The old releases run again, beside the new ones, which still answer."""
        asked, state = self.request, self.releases.state
        lease = StackLease(asked.environment, asked.rollout_id, asked.fencing_token)
        again = ApplyRequest(lease, state, refresh=self.number > 1, is_restore=True, round_number=self.number)
        await self.call.apply(InfrastructureActivities.apply, again)
        services = tuple(change.service for change in self.releases.changes)
        awaited = DeployRequest(
            asked.environment, asked.rollout_id, state, services, is_restore=True, round_number=self.number
        )
        ready = await self.call.apply(ServiceActivities.deploy, awaited)
        return f"{len(ready.services)} old release(s) run again"

    async def _traffic(self) -> str:
        """No request goes to what is about to go, and those it has begun to answer have their time."""
        asked = self.request
        lease = ReleaseLease(asked.environment, asked.rollout_id)
        turn = f"{workflow.info().run_id}.{self.number}"
        found = await self.call.read(ReleaseActivities.return_traffic, ReturnRequest(lease, self.releases, turn))
        self.returned()
        await asyncio.sleep(max(change.drain_seconds for change in self.releases.changes))
        return found.text
