"""Activities that a fan-out begins with: its waves, and the rollout's claim on the environment."""

from __future__ import annotations

from temporalio import activity

from policies.infrastructure.spec import FleetRules
from workflows.bodies import DeliveryBody
from workflows.infrastructure.models import StackLease
from workflows.ledger import fencing
from workflows.migrations.fan_out import state_of
from workflows.migrations.finding import targets_in
from workflows.migrations.models import FanOutPlan, FanOutPlanRequest
from workflows.migrations.servers import server_of
from workflows.runtime import Runtime


class FanOutActivities:
    """Reads what was planned and declared."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def claim_databases(self, lease: StackLease) -> int:
        """The token under which databases are claimed; fences out what earlier steps of the rollout still do."""
        return await fencing.renew(self._runtime.ledger, lease.environment, lease.rollout_id, "databases")

    @activity.defn
    async def plan_fan_out(self, request: FanOutPlanRequest) -> FanOutPlan:
        """The waves; every server that is needed has an address. Raises ServerUnknown."""
        body = await targets_in(self._runtime, request.lease, request.targets)
        for name, engine in sorted({(one.server, one.engine) for one in body.targets}):
            server_of(self._runtime.environ, name, engine)
        rules = FleetRules()
        if request.delivery:
            found = await self._runtime.bodies.get(request.delivery, DeliveryBody, request.lease.environment)
            rules = found.environment.rollout.fleet or rules
        state = state_of(body.targets, rules, is_needed=request.is_needed)
        return FanOutPlan(state, {one.id: one.server for one in body.targets})
