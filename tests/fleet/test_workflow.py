"""The fleet's workflow under the time-skipping test server: who is delivered when, and what people can say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from temporalio.client import WorkflowUpdateFailedError

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import (
    CELLS,
    LEASE,
    UNITS,
    Fleet,
    FleetDoubles,
    cell,
    fleet_server,
    plan_of,
    started,
    waits_for_approval,
)
from tests.fleet.fleets import GATES
from workflows.fleet.durable import FleetResult, FleetStatus
from workflows.fleet.models import DELIVERED, FAILED, SKIPPED, STARTED
from workflows.fleet.state import marked, place_of

ALL_AT_ONCE = FleetRules(max_parallel=UNITS, failure_budget="100%")
TWO_WAVES = FleetRules(steps=(5, "100%"), max_parallel=UNITS)
ASKING = FleetRules(
    steps=(5, "100%"), approval_before=(2,), approvers=("ines",), max_parallel=UNITS, failure_budget="10%"
)
UNIT = "tenant/t004"
FULL_YEARS = 2**40


async def ended(doubles: FleetDoubles) -> FleetResult:
    """How a fleet ends to which nobody says anything."""
    async with fleet_server(doubles) as server:
        return await (await started(server, doubles)).handle.result()


def has_busy(count: int) -> object:
    """Whether so many cells are being delivered."""
    return lambda status: len(status.busy) == count


def first_in(doubles: FleetDoubles, wave: int) -> str:
    """The first unit of a wave, from 0."""
    state = doubles.plan.state
    return state.units[sum(stage.size for stage in state.waves[:wave])]


def mark(status: FleetStatus, unit: str) -> str:
    """The letter of a unit."""
    assert status.state is not None
    return status.state.marks[place_of(status.state, unit)]


async def refusal(fleet: Fleet, what: str, about: str = "", **said: str) -> str:
    """Why the fleet does not take a word."""
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await fleet.say(what, about, **said)
    return str(refused.value.cause)


async def test_every_unit_is_delivered_once_and_cell_by_cell() -> None:
    """20 tenants in 4 cells take 4 deliveries."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))

    result = await ended(doubles)

    assert (result.outcome, result.summary.delivered) == ("delivered", UNITS)
    assert sorted(doubles.delivered()) == sorted(doubles.plan.state.units) == result.delivered
    assert sorted(request.stack for request in doubles.asked) == [cell(number) for number in range(CELLS)]


async def test_one_cell_is_never_delivered_twice_at_a_time_and_few_are_side_by_side() -> None:
    """Also where more units may be under way than cells."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=7), cells_at_once=2))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(lambda status: len(status.busy) == 2 and len(doubles.asked) == 2)
        go_on.set()
        result = await fleet.handle.result()

    assert result.outcome == "delivered"
    assert doubles.most_at_once == 2
    assert not doubles.was_shared


async def test_a_later_delivery_of_a_cell_keeps_what_an_earlier_one_brought() -> None:
    """Otherwise the second wave would take the first one back."""
    doubles = FleetDoubles(plan_of(TWO_WAVES))

    await ended(doubles)

    brought: dict[str, set[str]] = {}
    for request in doubles.asked:
        assert set(request.settled) == brought.get(request.stack, set())
        brought.setdefault(request.stack, set()).update(request.units)


async def test_a_unit_that_fails_is_restored_alone_and_the_others_go_on() -> None:
    """Within the budget."""
    doubles = FleetDoubles(plan_of(replace_rules(TWO_WAVES, failure_budget="5%")), outcomes={UNIT: "restored"})

    result = await ended(doubles)

    assert (result.outcome, result.summary.delivered, result.summary.restored) == ("partly-delivered", UNITS - 1, 1)
    assert result.reasons == [f"{UNIT}: the quota is exceeded"]
    assert doubles.undone() == []


async def test_more_failures_than_allowed_restore_the_wave() -> None:
    """Those of the wave that were delivered are brought back; the first wave stays, a third never begins."""
    rules = FleetRules(steps=(5, 12, "100%"), max_parallel=UNITS)
    doubles = FleetDoubles(plan_of(rules))
    units = doubles.plan.state.units
    doubles.outcomes[units[5]] = "restored"

    result = await ended(doubles)

    assert result.summary.ending == "over-budget"
    assert doubles.undone() == sorted(units[6:12])
    assert result.delivered == sorted(units[:5])
    assert not set(doubles.delivered()) & set(units[12:])


async def test_what_waits_for_its_cell_is_not_started_once_the_rollout_ends() -> None:
    """A change that is known to be bad spreads no further than the cells that are being delivered."""
    doubles = FleetDoubles(plan_of(FleetRules(max_parallel=UNITS), cells_at_once=1))
    doubles.outcomes[doubles.plan.state.units[0]] = "restored"

    result = await ended(doubles)

    assert len([request for request in doubles.asked if not request.is_undo]) == 1
    assert (result.outcome, result.summary.untouched) == ("restored", UNITS - UNITS // CELLS)


async def test_a_unit_that_cannot_be_restored_needs_an_operator() -> None:
    """The outcome says so, whatever became of the others."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE), outcomes={UNIT: "needs-operator"})

    result = await ended(doubles)

    assert (result.outcome, result.summary.needs_operator) == ("needs-operator", 1)


async def test_a_cell_that_nobody_can_deliver_needs_an_operator_after_ten_tries() -> None:
    """Its units are in an unknown state; the other cells are delivered."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE), broken={cell(1)})

    result = await ended(doubles)

    assert result.outcome == "needs-operator"
    assert (result.summary.delivered, result.summary.needs_operator) == (15, 5)
    assert len([request for request in doubles.asked if request.stack == cell(1)]) == 10
    assert "no worker can reach the cluster" in result.reasons[0]
    assert [(one.cell, one.reason) for one in doubles.frozen] == [
        (doubles.asked[-1], "no worker can reach the cluster")
    ], "the ledger is told of its units"


@pytest.mark.parametrize(("error", "tries"), [("StaleFencingToken", 1), ("ConnectionError", 13)])
async def test_a_ledger_that_cannot_be_told_of_lost_units_does_not_hold_the_fleet_forever(
    error: str, tries: int
) -> None:
    """The result says that it does not know; a newer rollout, which has taken over, is not written over."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE), broken={cell(1)}, unwritable=error)

    result = await ended(doubles)

    assert (result.outcome, result.summary.needs_operator) == ("needs-operator", 5)
    assert len(doubles.frozen) == tries
    assert result.reasons[0].endswith("no worker can reach the cluster; the ledger does not know")


async def test_a_pause_starts_no_cell_until_resumed() -> None:
    """What is under way finishes; what waits for its cell waits on, and can be skipped."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE, cells_at_once=1))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        await fleet.say("pause")
        go_on.set()
        paused = await fleet.until(has_busy(0))  # type: ignore[arg-type] # a lambda
        waiting = next(unit for unit in doubles.plan.state.units if unit not in doubles.delivered())
        await fleet.say("skip", waiting)
        assert "is paused already" in await refusal(fleet, "pause")
        await fleet.say("resume")
        result = await fleet.handle.result()

    assert paused.state is not None
    assert paused.state.marks.count(STARTED) == 0
    assert (result.outcome, result.summary.delivered, result.summary.skipped) == ("partly-delivered", UNITS - 1, 1)
    assert waiting not in doubles.delivered()
    assert sorted(doubles.delivered()) == sorted(set(doubles.plan.state.units) - {waiting})


async def test_a_wave_waits_for_its_approval_by_somebody_who_may() -> None:
    """Others are refused, and nothing is delivered meanwhile."""
    doubles = FleetDoubles(plan_of(ASKING))
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        waiting = await fleet.until(waits_for_approval)
        before = len(doubles.delivered())
        assert "bo may not approve waves; ask one of: ines" in await refusal(fleet, "approve", "2", by="bo")
        assert "wave 1 does not wait" in await refusal(fleet, "approve", "1")
        receipt = await fleet.say("approve", "2", reason="looks good")
        result = await fleet.handle.result()

    assert waiting.waiting_for == "approval of wave 2"
    assert before == 5
    assert receipt.message == "approve 2: done"
    assert doubles.decisions == ["fleet.approve by ines: 2: looks good"]  # a refusal is not recorded
    assert result.outcome == "delivered"


async def test_a_rejected_wave_ends_the_rollout_and_undoes_nothing() -> None:
    """The first wave stays."""
    doubles = FleetDoubles(plan_of(ASKING))
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(waits_for_approval)
        await fleet.say("reject", "2", reason="not this week")
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered, result.summary.untouched) == ("rejected", 5, 15)
    assert doubles.undone() == []


async def test_a_unit_of_a_later_wave_can_be_skipped() -> None:
    """It stays as it was, and a reason is needed."""
    doubles = FleetDoubles(plan_of(ASKING))
    unit = first_in(doubles, 1)
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(waits_for_approval)
        assert "needs a reason" in await refusal(fleet, "skip", unit, reason="")
        assert "has been started already" in await refusal(fleet, "skip", first_in(doubles, 0))
        assert "does not concern tenant/nobody" in await refusal(fleet, "skip", "tenant/nobody")
        await fleet.say("skip", unit)
        skipped = await fleet.status()
        await fleet.say("approve", "2")
        result = await fleet.handle.result()

    assert mark(skipped, unit) == SKIPPED
    assert unit not in doubles.delivered()
    assert result.summary.skipped == 1


async def test_a_unit_that_failed_is_delivered_again_on_request() -> None:
    """As a new attempt, told apart from the first by its turn; the failure no longer counts."""
    doubles = FleetDoubles(plan_of(ASKING))
    unit = first_in(doubles, 0)
    doubles.outcomes[unit] = "restored"
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        failed = await fleet.until(waits_for_approval)
        del doubles.outcomes[unit]
        await fleet.say("retry", unit)
        await fleet.until(lambda status: mark(status, unit) == DELIVERED)
        await fleet.until(waits_for_approval)
        await fleet.say("approve", "2")
        result = await fleet.handle.result()

    attempts = [request for request in doubles.asked if unit in request.units]
    assert mark(failed, unit) == FAILED
    assert [request.turn for request in attempts] == [0, 1]
    assert result.outcome == "delivered"


async def test_a_cancelled_rollout_starts_nothing_more() -> None:
    """The cell that is being delivered ends as it ends; what waited for its cell is untouched."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE, cells_at_once=1))
    go_on = doubles.hold()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        await fleet.say("cancel", reason="wrong version")
        go_on.set()
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.delivered, result.summary.untouched) == ("cancelled", 5, 15)
    assert result.summary.reason == "cancelled by ines: wrong version"
    assert len(doubles.asked) == 1


async def test_a_cancellation_while_the_waves_are_planned_is_not_lost() -> None:
    """None of them begins."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))
    go_on = doubles.hold_plan()
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles)
        await fleet.handle.signal("cancel", "ana")
        assert "not planned yet" in await refusal(fleet, "pause")
        go_on.set()
        result = await fleet.handle.result()

    assert (result.outcome, result.summary.untouched) == ("cancelled", UNITS)
    assert doubles.asked == []


async def test_gates_are_checked_before_and_after_the_bake_of_each_wave() -> None:
    """The bake takes its time on the server's clock, which skips it here."""
    doubles = FleetDoubles(plan_of(replace_rules(TWO_WAVES, gates=GATES, bake_seconds=3600)))

    result = await ended(doubles)

    checks = [(request.wave, request.is_after_bake) for request in doubles.gates]
    assert checks == [("1", False), ("1", True), ("2", False), ("2", True)]
    assert result.outcome == "delivered"


async def test_a_run_that_takes_over_delivers_what_was_started_and_leaves_what_was_delivered() -> None:
    """What was under way in the run before is asked for again; a cell knows how to go on."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))
    plan = doubles.plan
    moved = replace(plan.state, opened=1, phase="deliver")
    taken_over = marked(marked(moved, range(6), DELIVERED), range(6, 9), STARTED)
    async with fleet_server(doubles) as server:
        fleet = await started(server, doubles, plan=replace(plan, state=taken_over))
        result = await fleet.handle.result()

    assert sorted(doubles.delivered()) == sorted(plan.state.units[6:])
    assert (result.outcome, result.summary.delivered) == ("delivered", UNITS)


async def test_every_cell_is_claimed_under_the_lease_of_the_rollout() -> None:
    """So that an older rollout that comes back late can write nothing."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))

    await ended(doubles)

    assert {request.lease for request in doubles.asked} == {LEASE}


def replace_rules(rules: FleetRules, **changes: object) -> FleetRules:
    """``rules`` with other values."""
    return FleetRules(**{name: changes.get(name, getattr(rules, name)) for name in rules.__struct_fields__})  # type: ignore[arg-type] # test data
