"""``python -m tests.fleet.recording [SCENARIO …]``: records the histories that ``test_replay`` replays.

Record anew only when the workflow was changed on purpose, and keep the old
files: fleets that were under way when the new code was deployed have them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, cell, fleet_server, plan_of, started
from tests.fleet.fleets import GATES
from tests.support.histories import keep
from workflows.fleet.models import Calendar, Closed
from workflows.fleet.state import seconds
from workflows.fleet.workflow import FleetWorkflow

HISTORIES = Path(__file__).parent / "histories"
ASKING = FleetRules(
    steps=(5, "100%"), approval_before=(2,), approvers=("ines",), max_parallel=UNITS, failure_budget="10%"
)
Scenario = Callable[[WorkflowEnvironment, FleetDoubles], Awaitable[Fleet]]


async def delivered(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """Two waves with gates and a bake, a freeze before the first."""
    rules = FleetRules(steps=(5, "100%"), max_parallel=UNITS, gates=GATES, bake_seconds=600)
    doubles.plan = plan_of(rules, has_calendar=True)
    now = seconds(await server.get_current_time())
    doubles.calendar = Calendar(0, 2**40, [Closed(0, now + 3600, "freeze year-end")])
    return await _ended(await started(server, doubles))


async def decided(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """A unit fails and is retried, another is skipped, the second wave is approved."""
    doubles.plan = plan_of(ASKING)
    first, last = doubles.plan.state.units[0], doubles.plan.state.units[-1]
    doubles.outcomes[first] = "restored"
    fleet = await started(server, doubles)
    await fleet.until(lambda status: status.waiting_for.startswith("approval"))
    del doubles.outcomes[first]
    await fleet.say("retry", first)
    await fleet.until(lambda status: status.waiting_for.startswith("approval"))
    await fleet.say("pause")
    await fleet.say("skip", last)
    await fleet.say("approve", "2")
    await fleet.say("resume")
    return await _ended(fleet)


async def restored(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """More units fail than may: the wave goes back."""
    doubles.plan = plan_of(FleetRules(max_parallel=UNITS))
    doubles.outcomes[doubles.plan.state.units[0]] = "restored"
    return await _ended(await started(server, doubles))


async def expired(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """A freeze is merged during the bake, and nobody approves the wave after the next."""
    rules = FleetRules(
        steps=(5, 10, "100%"),
        approval_before=(3,),
        approvers=("ines",),
        approval_within_seconds=3600,
        max_parallel=UNITS,
        bake_seconds=600,
    )
    doubles.plan = plan_of(rules, has_calendar=True, calendar_fresh_seconds=300)
    fleet = await started(server, doubles)
    await fleet.until(lambda status: status.state is not None and status.state.phase == "bake")
    now = seconds(await server.get_current_time())
    doubles.calendar = Calendar(0, 2**40, [Closed(now, now + 7200, "freeze incident")])
    return await _ended(fleet)


async def handed_over(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """The first run of several."""
    doubles.plan = plan_of(FleetRules(steps=(5, "100%"), max_parallel=UNITS), cells_at_once=1)
    return await _ended(await started(server, doubles, events_per_run=30))


async def lost(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """A cell that nobody can finish; its units are frozen."""
    doubles.plan = plan_of(FleetRules(max_parallel=UNITS, failure_budget="100%"))
    doubles.broken = {cell(1)}
    return await _ended(await started(server, doubles))


async def superseded(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """A newer commit is merged while an approval is waited for."""
    doubles.plan = plan_of(ASKING)
    fleet = await started(server, doubles)
    await fleet.until(lambda status: status.waiting_for.startswith("approval"))
    await fleet.handle.signal(FleetWorkflow.supersede, "c0ffee")
    return await _ended(fleet)


async def refused(server: WorkflowEnvironment, doubles: FleetDoubles) -> Fleet:
    """Two people pause at the same time: the second is refused after all."""
    doubles.plan = plan_of(ASKING)
    fleet = await started(server, doubles)
    await fleet.until(lambda status: status.waiting_for.startswith("approval"))
    go_on = doubles.hold_record()
    saying = [asyncio.create_task(fleet.say("pause", by=name)) for name in ("ana", "bo")]
    while str((await fleet.handle.describe()).raw_description.pending_activities).count("record_decision") < 2:
        pass
    go_on.set()
    await asyncio.gather(*saying, return_exceptions=True)
    await fleet.say("cancel")
    return await _ended(fleet)


SCENARIOS: tuple[Scenario, ...] = (delivered, decided, restored, expired, handed_over, lost, superseded, refused)


async def record(names: Collection[str] = ()) -> None:
    """Run each scenario (or those of ``names``) on a server of its own and keep the history of its fleet."""
    HISTORIES.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    for scenario in SCENARIOS:
        if names and scenario.__name__ not in names:
            continue
        doubles = FleetDoubles(plan_of(FleetRules()))
        async with fleet_server(doubles) as server:
            fleet = await scenario(server, doubles)
            first_run = fleet.client.get_workflow_handle(fleet.handle.id, run_id=fleet.handle.first_execution_run_id)
            history = await first_run.fetch_history()
            keep(history, HISTORIES / f"{stamp}-{scenario.__name__}.json")


async def _ended(fleet: Fleet) -> Fleet:
    await fleet.handle.result()
    return fleet


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
