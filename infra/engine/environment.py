"""Plans a whole environment, whose tenants may live in stacks of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from infra.engine.engine import Engine, OnEvent
from infra.engine.plan import Plan, plan_of
from infra.engine.settings import EngineSettings
from policies.change_set import diff
from policies.desired_state import DesiredState
from policies.placement import part_of, stack_of

AT_ONCE = 2


def affected_stacks(before: DesiredState | None, after: DesiredState) -> list[str]:
    """The stacks in which a unit differs; the environment's own where there are no cells, since it holds everything."""
    if after.cells == 0:
        return [after.environment]
    return sorted({stack_of(one.unit, after.environment, after.cells) for one in diff(before, after).changes})


async def plan_environment(
    settings: EngineSettings, before: DesiredState | None, after: DesiredState, *, on_event: OnEvent | None = None
) -> Plan:
    """What applying ``after`` would do to an environment that is ``before`` (None: nothing); two stacks at a time.

    Stacks in which nothing differs are not looked at. Raises what ``Engine.preview`` raises.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def plan(stack: str) -> Plan:
        async with turns:
            return await Engine(settings, stack).preview(part_of(after, stack), on_event=on_event)

    return joined(await asyncio.gather(*map(plan, affected_stacks(before, after))))


def joined(plans: Sequence[Plan]) -> Plan:
    """One plan of several stacks."""
    if len(plans) == 1:
        return plans[0]
    return plan_of([change for plan in plans for change in plan.changes], sum(plan.same for plan in plans))
