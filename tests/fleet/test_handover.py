"""A fleet goes on in a new run when its history grows long: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.api.history.v1 import HistoryEvent

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, fleet_server, plan_of, started, waits_for_approval
from tests.fleet.fleets import GATES
from workflows.fleet.durable import FleetInput, FleetResult, FleetStatus

MANY_UNITS, MANY_CELLS = 2_000, 100
MOST_BYTES = 1_000_000
WAVES = FleetRules(
    steps=(5, 10, "100%"),
    approval_before=(2,),
    approvers=("ines",),
    max_parallel=UNITS,
    failure_budget="20%",
    gates=GATES,
)


async def runs_of(fleet: Fleet) -> AsyncIterator[list[HistoryEvent]]:
    """The events of each run, the last run first."""
    run_id = (await fleet.handle.describe()).run_id
    while run_id:
        handle = fleet.client.get_workflow_handle(fleet.handle.id, run_id=run_id)
        events = [event async for event in handle.fetch_history_events()]
        yield events
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id


async def told(events_per_run: int) -> tuple[FleetResult, FleetDoubles, int, FleetStatus]:
    """One story: a unit fails, another is skipped during a pause, a wave is approved; told in runs so long."""
    doubles = FleetDoubles(plan_of(WAVES, cells_at_once=1))
    failing, skipped = doubles.plan.state.units[1], doubles.plan.state.units[-1]
    doubles.outcomes[failing] = "restored"
    async with fleet_server(doubles, is_real=True) as server:
        fleet = await started(server, doubles, events_per_run=events_per_run)
        await fleet.until(waits_for_approval)
        await fleet.say("pause", reason="lunch")
        await fleet.say("skip", skipped, reason="they asked for it")
        await fleet.say("approve", "2", reason="looks good")
        await fleet.say("resume", reason="back")
        result = await fleet.handle.result()
        return result, doubles, len([run async for run in runs_of(fleet)]), await fleet.status()


@pytest.mark.parametrize("events_per_run", [30, 45, 70])
async def test_runs_of_any_length_tell_the_same_story(events_per_run: int) -> None:
    """Handed over between waves, cells, gates, in a pause and while an approval is waited for."""
    whole, once, one_run, status_of_one = await told(FleetInput.events_per_run)
    result, doubles, runs, status = await told(events_per_run)

    assert one_run == 1
    assert runs > 1
    assert result == whole
    assert (result.outcome, result.summary.restored, result.summary.skipped) == ("partly-delivered", 1, 1)
    assert sorted(doubles.delivered()) == sorted(once.delivered()) == sorted(set(doubles.delivered()))
    assert doubles.decisions == once.decisions
    assert len(doubles.gates) == len(once.gates)
    assert status.state is not None
    assert status_of_one.state is not None
    assert [taken.what for taken in status.state.decisions] == ["pause", "skip", "approve", "resume"]
    assert status.state.marks == status_of_one.state.marks


async def test_a_decision_that_is_being_recorded_is_taken_into_the_next_run() -> None:
    """Units done, one cell under way, and a word half said when the history is long enough."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=UNITS), cells_at_once=1))
    async with fleet_server(doubles, is_real=True) as server:
        cell_goes_on, record_goes_on = doubles.hold(), doubles.hold_record()
        fleet = await started(server, doubles, events_per_run=10)
        began = await fleet.until(lambda _: len(doubles.asked) == 1)
        pausing = asyncio.create_task(fleet.say("pause"))
        while "record_decision" not in str((await fleet.handle.describe()).raw_description.pending_activities):
            pass
        cell_goes_on.set()
        await fleet.until(lambda status: not status.busy)
        record_goes_on.set()
        await pausing
        paused = await fleet.until(
            lambda status: status.state is not None and status.state.is_paused and not status.busy
        )
        skipped = next(unit for unit in doubles.plan.state.units if unit not in doubles.delivered())
        runs_while_paused = len([run async for run in runs_of(fleet)])
        await fleet.say("skip", skipped)
        await fleet.say("resume")
        result = await fleet.handle.result()

    assert runs_while_paused > 1
    assert paused.started_at == began.started_at
    assert (result.summary.delivered, result.summary.skipped) == (UNITS - 1, 1)
    assert sorted(doubles.delivered()) == sorted(set(doubles.plan.state.units) - {skipped})
    assert [said.partition(" ")[0] for said in doubles.decisions] == ["fleet.pause", "fleet.skip", "fleet.resume"]


async def test_a_calendar_that_nobody_can_read_does_not_keep_a_run_from_ending() -> None:
    """It is asked for for as long as it takes, and the history stays bounded; nothing is started meanwhile."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=UNITS), has_calendar=True), unreadable="line 7 is no date")
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles, events_per_run=60)
        waiting = await fleet.until(lambda status: "line 7 is no date" in status.waiting_for)
        await server.sleep(4 * 3600)
        runs = [run async for run in runs_of(fleet)]
        untouched = not doubles.asked
        doubles.unreadable = ""
        result = await fleet.handle.result()

    assert waiting.waiting_for == "the calendar cannot be read: line 7 is no date"
    assert len(runs) > 1
    assert max(len(run) for run in runs) < 100
    assert untouched
    assert result.outcome == "delivered"


@pytest.mark.timeout(300)
async def test_thousands_of_units_stay_within_the_limits_of_the_server() -> None:
    """Histories by run, every payload and the status; each unit delivered once over all runs."""
    rules = FleetRules(steps=("1%", "10%", "50%"), max_parallel=500, failure_budget="5%", gates=GATES)
    doubles = FleetDoubles(plan_of(rules, cells_at_once=10, units=MANY_UNITS, cells=MANY_CELLS))
    doubles.outcomes = dict.fromkeys(doubles.plan.state.units[::50], "restored")
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles, events_per_run=1_000)
        result = await fleet.handle.result()
        runs = [run async for run in runs_of(fleet)]
        status = await fleet.status()

    assert (result.summary.delivered, result.summary.restored) == (MANY_UNITS - 40, 40)
    assert sorted(doubles.delivered()) == sorted(doubles.plan.state.units)
    assert len(runs) > 1
    assert max(len(run) for run in runs) < 1_200, "a run ends soon after its history is long: 6,000 events by default"
    assert max(event.ByteSize() for run in runs for event in run) < MOST_BYTES
    assert max(sum(event.ByteSize() for event in run) for run in runs) < 10 * MOST_BYTES
    assert len(str(status)) < MOST_BYTES
