"""The steps of a rollout for what is applied as one: all of it, or all but the tenants that follow in waves.

Workflow code. Where nothing differs but what is delivered in waves, there is nothing to do here.
"""

from __future__ import annotations

from dataclasses import dataclass

from workflows.infrastructure.activities import InfrastructureActivities
from workflows.infrastructure.models import ApplyRequest, PlanRequest, StackLease
from workflows.invoke import ActivityCall
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.activity_models import TestRequest, Validated
from workflows.rollout.plan import waves_line
from workflows.services.activities import ServiceActivities
from workflows.services.models import DeployRequest


@dataclass(frozen=True)
class AppliedAsOne:
    """Each step returns a line about what it did."""

    call: ActivityCall
    validated: Validated
    lease: StackLease

    @property
    def _is_untouched(self) -> bool:
        return bool(self.validated.core_state) and self.validated.core_units == 0

    async def plan(self) -> str:
        """What would be done, and the waves after it."""
        waves = waves_line(self.validated)
        if self._is_untouched:
            return f"{waves}, nothing else"
        request = PlanRequest(self.lease, self.validated.first_state)
        plan = await self.call.apply(InfrastructureActivities.plan, request)
        line = (
            f"{plan.creates} to create, {plan.updates} to update, {plan.replaces} to replace, {plan.deletes} to delete"
        )
        return f"{line}; then {waves}" if waves else line

    async def apply(self) -> str:
        """What is new, with the old releases beside it where services change theirs."""
        if self._is_untouched:
            return "nothing to apply before the waves"
        request = ApplyRequest(self.lease, self.validated.first_state)
        done = await self.call.apply(InfrastructureActivities.apply, request)
        repaired = f"; {done.repaired_operations} pending operation(s) repaired" if done.repaired_operations else ""
        line = f"{done.creates} created, {done.updates} updated, {done.replaces} replaced, {done.deletes} deleted"
        return line + repaired

    async def deploy(self) -> str:
        """The workloads that changed have become ready."""
        if self._is_untouched:
            return "no workload changes"
        validated, lease = self.validated, self.lease
        request = DeployRequest(
            lease.environment, lease.rollout_id, validated.first_state, tuple(validated.changed_services)
        )
        ready = await self.call.apply(ServiceActivities.deploy, request)
        return f"{len(ready.services)} workload(s) ready"

    async def test(self) -> str:
        """The post-deployment tests have passed."""
        validated, lease = self.validated, self.lease
        request = TestRequest(
            lease.environment, lease.rollout_id, validated.commit, validated.delivery, validated.first_state
        )
        passed = await self.call.apply(RolloutActivities.run_tests, request)
        return f"{len(passed.names)} test(s) passed"

    async def without_old_releases(self) -> int:
        """Take away what ran only beside the new releases; how many objects that were."""
        request = ApplyRequest(self.lease, self.validated.applied_state)
        return (await self.call.apply(InfrastructureActivities.apply, request)).deletes
