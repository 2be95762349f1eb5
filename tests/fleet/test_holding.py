"""What holds a running fleet: approvals that nobody gives, freezes that are merged midway, and words against them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, fleet_server, plan_of, second_waits, started
from tests.fleet.fleets import GATES
from workflows.fleet.durable import FleetInput, FleetStatus
from workflows.fleet.models import Calendar, Closed
from workflows.fleet.state import seconds

HOUR = 3600
FRESH_SECONDS = 300
END_OF_TIME = 2**40
ASKING = FleetRules(
    steps=(5, "100%"), approval_before=(2,), approvers=("ines",), max_parallel=UNITS, approval_within_seconds=HOUR
)
BAKING = FleetRules(steps=(5, "100%"), max_parallel=UNITS, gates=GATES, bake_seconds=HOUR)


@asynccontextmanager
async def fleet_of(
    rules: FleetRules, *, events_per_run: int = FleetInput.events_per_run
) -> AsyncIterator[tuple[WorkflowEnvironment, Fleet]]:
    """A fleet of an environment where a freeze may be merged at any time."""
    doubles = FleetDoubles(plan_of(rules, has_calendar=True, calendar_fresh_seconds=FRESH_SECONDS))
    async with fleet_server(doubles) as server:
        yield server, await started(server, doubles, events_per_run=events_per_run)


async def freeze(server: WorkflowEnvironment, fleet: Fleet, name: str, *, for_seconds: int) -> None:
    """Merge one that holds from now on."""
    now = seconds(await server.get_current_time())
    fleet.doubles.calendar = Calendar(0, END_OF_TIME, [Closed(now - 10, now + for_seconds, f"freeze {name}")])


async def ended_at(fleet: Fleet) -> datetime:
    """When it was over, by its server's clock, which runs on to the end of all timers afterwards."""
    closed = (await fleet.handle.describe()).close_time
    assert closed is not None
    return closed


def bakes(status: FleetStatus) -> bool:
    """Whether the first wave proves itself."""
    return status.state is not None and status.state.phase == "bake" and status.state.opened == 1


def is_held(status: FleetStatus) -> bool:
    """Whether a freeze holds."""
    return status.waiting_for.startswith("freeze")


@pytest.mark.parametrize("events_per_run", [20, FleetInput.events_per_run])
async def test_an_approval_that_nobody_gives_in_time_ends_the_rollout(events_per_run: int) -> None:
    """Also when another run has taken over since it was asked for. What is delivered stays; the ledger is told."""
    async with fleet_of(ASKING, events_per_run=events_per_run) as (server, fleet):
        # Not asked before: a query that the test server forgets while runs hand over stops its clock for good.
        asked_at = await server.get_current_time()
        await server.sleep(HOUR - 60)
        before = await fleet.status()
        result = await fleet.handle.result()
        waited = await ended_at(fleet) - asked_at

    assert second_waits(before)
    assert timedelta(seconds=HOUR - 60) < waited < timedelta(seconds=HOUR + 60)
    assert (result.outcome, result.summary.ending) == ("rejected", "approval-expired")
    assert result.summary.reason == "approval_expired: nobody approved wave 2 in time"
    assert (result.summary.delivered, result.summary.untouched) == (5, UNITS - 5)
    assert fleet.doubles.undone() == []
    assert fleet.doubles.decisions == ["fleet.expire by nobody: 2: approval_expired: nobody approved wave 2 in time"]


async def test_an_approval_in_time_is_followed_however_long_the_wave_takes() -> None:
    """The limit is one on waiting, and each wave has its own."""
    rules = FleetRules(
        steps=(5, 10, "100%"),
        approval_before=(2, 3),
        approvers=("ines",),
        max_parallel=UNITS,
        approval_within_seconds=HOUR,
        bake_seconds=2 * HOUR,
    )
    async with fleet_of(rules) as (server, fleet):
        for wave in ("2", "3"):
            await server.sleep(2 * HOUR)
            await fleet.until(lambda status, wave=wave: status.waiting_for == f"approval of wave {wave}")  # type: ignore[misc] # a lambda
            await server.sleep(HOUR - 60)
            await fleet.say("approve", wave)
            await fleet.until(lambda status: not second_waits(status))
        result = await fleet.handle.result()

    assert result.outcome == "delivered"


async def test_a_pause_does_not_make_an_approval_last_longer() -> None:
    """Whoever pauses has not agreed."""
    async with fleet_of(ASKING) as (_, fleet):
        await fleet.until(second_waits)
        await fleet.say("pause")
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.ending) == ("rejected", "approval-expired")


async def test_a_freeze_that_is_merged_while_a_wave_bakes_holds_the_next_one() -> None:
    """Until it is over: nothing declared one when the rollout began."""
    async with fleet_of(BAKING) as (server, fleet):
        await fleet.until(bakes)
        await freeze(server, fleet, "incident", for_seconds=10 * HOUR)
        await server.sleep(2 * HOUR)
        held = await fleet.until(is_held)
        delivered_before = len(fleet.doubles.delivered())
        frozen_until = fleet.doubles.calendar.closed[0].ends_at
        result = await fleet.handle.result()
        ended = seconds(await ended_at(fleet))

    assert held.waiting_for == "freeze incident"
    assert delivered_before == 5
    assert result.outcome == "delivered"
    assert ended >= frozen_until


async def test_a_freeze_that_is_merged_while_an_approval_is_waited_for_holds_the_wave_that_is_approved() -> None:
    """To approve is not to override."""
    async with fleet_of(ASKING) as (server, fleet):
        await fleet.until(second_waits)
        await freeze(server, fleet, "incident", for_seconds=10 * HOUR)
        await fleet.say("approve", "2")
        await fleet.until(is_held)
        assert len(fleet.doubles.delivered()) == 5
        result = await fleet.handle.result()

    assert result.outcome == "delivered"


async def test_a_freeze_that_is_merged_holds_the_rest_of_a_wave_that_takes_long() -> None:
    """What is under way finishes; five minutes later at the latest nothing more is started."""
    async with fleet_of(FleetRules(max_parallel=1)) as (server, fleet):
        go_on = fleet.doubles.hold()
        await fleet.until(lambda _: len(fleet.doubles.asked) == 1)
        await fleet.say("pause")
        await freeze(server, fleet, "incident", for_seconds=10 * HOUR)
        go_on.set()
        await fleet.until(lambda status: not status.busy)
        await server.sleep(FRESH_SECONDS)
        await fleet.say("resume")
        await fleet.until(is_held)
        assert len(fleet.doubles.delivered()) == 1
        result = await fleet.handle.result()

    assert result.outcome == "delivered"


async def test_a_freeze_that_is_taken_back_no_longer_holds() -> None:
    """Whoever waits looks again every hour."""
    async with fleet_of(BAKING) as (server, fleet):
        await fleet.until(bakes)
        await freeze(server, fleet, "incident", for_seconds=1000 * HOUR)
        await server.sleep(2 * HOUR)
        await fleet.until(is_held)
        fleet.doubles.calendar = Calendar(0, END_OF_TIME)
        taken_back_at = await server.get_current_time()
        result = await fleet.handle.result()
        waited = await ended_at(fleet) - taken_back_at

    assert result.outcome == "delivered"
    assert waited < timedelta(hours=4)


async def test_an_override_lets_a_held_wave_start_and_is_recorded() -> None:
    """Only with a reason; who and why are in the audit trail."""
    async with fleet_of(BAKING) as (server, fleet):
        await fleet.until(bakes)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await fleet.say("override", reason="nothing to override")
        assert "nothing holds the rollout now" in str(refused.value.cause)
        await freeze(server, fleet, "incident", for_seconds=1000 * HOUR)
        await server.sleep(2 * HOUR)
        await fleet.until(is_held)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await fleet.say("override", reason=" ")
        assert "an override needs a reason" in str(refused.value.cause)
        await fleet.say("override", reason="this is the fix")
        result = await fleet.handle.result()
        overridden_by = [said for said in fleet.doubles.decisions if "override" in said]
        ended = seconds(await ended_at(fleet))

    assert result.outcome == "delivered"
    assert ended < fleet.doubles.calendar.closed[0].ends_at
    assert overridden_by == ["fleet.override by ines: this is the fix"]


async def test_an_override_does_not_reach_beyond_the_freeze_that_it_was_given_for() -> None:
    """One that is merged later and holds longer holds the next wave."""
    rules = FleetRules(steps=(5, 10, "100%"), max_parallel=UNITS, gates=GATES, bake_seconds=HOUR)
    async with fleet_of(rules) as (server, fleet):
        await fleet.until(bakes)
        await freeze(server, fleet, "incident", for_seconds=100 * HOUR)
        await server.sleep(2 * HOUR)
        await fleet.until(is_held)
        await fleet.say("override", reason="this is the fix")
        await fleet.until(lambda status: status.state is not None and status.state.phase == "bake")
        await freeze(server, fleet, "worse", for_seconds=1000 * HOUR)
        await server.sleep(2 * HOUR)
        held = await fleet.until(is_held)
        delivered = len(fleet.doubles.delivered())
        await fleet.say("cancel")
        await fleet.handle.result()

    assert held.waiting_for == "freeze worse"
    assert delivered == 10
