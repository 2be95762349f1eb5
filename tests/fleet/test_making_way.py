"""A newer commit takes the place of a fleet that has not begun or waits; what is under way finishes first."""

from __future__ import annotations

import pytest

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, fleet_server, plan_of, second_waits, started
from workflows.fleet.durable import FleetInput
from workflows.fleet.workflow import FleetWorkflow

ASKING = FleetRules(steps=(5, "100%"), approval_before=(2,), approvers=("ines",), max_parallel=UNITS)
NEWER = "c0ffee"


async def supersede(fleet: Fleet) -> None:
    """What the rollout says when a newer commit is merged."""
    await fleet.handle.signal(FleetWorkflow.supersede, NEWER)


async def test_a_fleet_that_has_begun_nothing_makes_way_at_once() -> None:
    """Also when its waves are not even planned."""
    doubles = FleetDoubles(plan_of(ASKING))
    go_on = doubles.hold_plan()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await supersede(fleet)
        go_on.set()
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.untouched) == ("superseded", UNITS)
    assert result.summary.reason == f"superseded by {NEWER}"
    assert doubles.asked == []


async def test_nobody_need_approve_a_wave_of_an_older_commit() -> None:
    """What is delivered stays."""
    doubles = FleetDoubles(plan_of(ASKING))
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(second_waits)
        await supersede(fleet)
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered, result.summary.untouched) == ("superseded", 5, UNITS - 5)
    assert doubles.undone() == []


@pytest.mark.parametrize("events_per_run", [15, FleetInput.events_per_run])
async def test_a_fleet_at_work_makes_way_when_it_comes_to_wait(events_per_run: int) -> None:
    """The wave under way is finished first, also by another run than that which was told."""
    doubles = FleetDoubles(plan_of(ASKING, cells_at_once=1))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles, events_per_run=events_per_run)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        await supersede(fleet)
        at_work = await fleet.status()
        go_on.set()
        result = await fleet.handle.result()

    assert at_work.state is not None
    assert not at_work.state.ending
    assert (result.outcome, result.summary.delivered, result.summary.untouched) == ("superseded", 5, UNITS - 5)


async def test_a_fleet_that_comes_to_wait_for_nobody_is_delivered() -> None:
    """Else each merge would begin anew with the canaries, and the last tenants would never be reached."""
    doubles = FleetDoubles(plan_of(FleetRules(steps=(5, "100%"), max_parallel=UNITS)))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) >= 1)
        await supersede(fleet)
        go_on.set()
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered) == ("delivered", UNITS)


async def test_a_paused_fleet_makes_way_once_what_is_under_way_has_finished() -> None:
    """What waits for its cell is not started."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=UNITS), cells_at_once=1))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        await supersede(fleet)
        await fleet.say("pause")
        go_on.set()
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered, result.summary.untouched) == ("superseded", 5, UNITS - 5)
    assert len(doubles.asked) == 1


async def test_a_calendar_that_nobody_can_read_does_not_hold_the_correction() -> None:
    """The newer commit may be the very one that makes it readable."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=1), has_calendar=True, calendar_fresh_seconds=1))
    async with fleet_server(doubles) as server:
        go_on = doubles.hold()
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        doubles.unreadable = "line 7 is no date"
        await server.sleep(10)
        go_on.set()
        await fleet.until(lambda status: status.waiting_for.startswith("the calendar cannot be read"))
        await supersede(fleet)
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered) == ("superseded", 1)
