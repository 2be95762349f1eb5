"""Whole rollouts, one story each: what is asked for, in which order, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import GATES, NOON, Answer, answered_well, failing, fleet, restoring_fails, run, tenants
from workflows.fleet.answers import calendar_read, gate_failed, unit_failed, unit_succeeded
from workflows.fleet.decisions import (
    DecisionRefused,
    approval_expired,
    approve,
    cancel,
    override_hold,
    pause,
    reject,
    resume,
    retry,
    skip,
    supersede,
)
from workflows.fleet.machine import LOOK_AGAIN_SECONDS, gives_way, next_actions, outstanding, overdue_wave
from workflows.fleet.models import (
    Action,
    AskApproval,
    Calendar,
    CheckGates,
    Closed,
    Finish,
    FleetState,
    FleetUnit,
    ReadCalendar,
    RestoreUnits,
    StartUnits,
    WaitUntil,
)
from workflows.fleet.state import UnitUnknown, unit_ends

AT = int(NOON.timestamp())
GONE = [FleetUnit("tenant/gone", "remove"), FleetUnit("service/old", "remove")]


def the_end(actions: list[Action]) -> Finish:
    """The last action, which must be the end."""
    assert isinstance(actions[-1], Finish)
    return actions[-1]


def started(actions: list[Action]) -> list[tuple[str, ...]]:
    """What was started together, in order."""
    return [action.units for action in actions if isinstance(action, StartUnits)]


def gates_fail_in(wave: str, *, is_after_bake: bool = False) -> Answer:
    """The gates of one wave do not hold; ``is_after_bake``: not until its bake is over."""

    def answer(state: FleetState, action: Action) -> FleetState | None:
        if isinstance(action, CheckGates) and action.wave == wave and action.is_after_bake == is_after_bake:
            return gate_failed(state, "few-errors", "0.2 is above 0.01")
        return None

    return answer


def test_a_wave_is_checked_left_alone_and_checked_again_before_the_next() -> None:
    """Each wave is delivered, its gates asked, baked and asked again; nothing overlaps."""
    rules = FleetRules(canaries=("t000",), bake_seconds=600, gates=GATES, max_parallel=10)
    _, actions = run(fleet(tenants(3), rules))
    told = [
        (type(action).__name__, *(getattr(action, name) for name in ("wave", "is_after_bake") if hasattr(action, name)))
        for action in actions
    ]
    wave = ["StartUnits", "CheckGates", "WaitUntil", "CheckGates"]
    assert [name for name, *_ in told] == [*wave, *wave, "Finish"]
    assert [rest for name, *rest in told if name == "CheckGates"] == [
        ["canaries", False], ["canaries", True], ["1", False], ["1", True],
    ]  # fmt: skip
    assert started(actions)[0] == ("tenant/t000",)
    assert the_end(actions).outcome == "delivered"


def test_the_last_wave_bakes_only_if_a_gate_judges_it_afterwards() -> None:
    """Without gates nothing could come of waiting after the last wave."""
    rules = FleetRules(steps=(1,), bake_seconds=600)
    _, actions = run(fleet(tenants(2), rules))
    assert [type(action) for action in actions] == [StartUnits, WaitUntil, StartUnits, Finish]
    assert actions[1] == WaitUntil(NOON + timedelta(seconds=600), "wave 1 proves itself")


def test_a_failure_within_the_budget_neither_stops_nor_undoes_the_others() -> None:
    """One of ten tenants fails and is restored by itself; the nine others are delivered."""
    state, actions = run(fleet(tenants(10), FleetRules(failure_budget="10%")), failing("tenant/t004"))
    assert the_end(actions).outcome == "partly-delivered"
    assert the_end(actions).summary.text == "9 delivered, 1 restored"
    assert unit_ends(state)["tenant/t004"] == "restored"
    assert [(failure.unit, failure.reason) for failure in state.failures] == [("tenant/t004", "no pod is ready")]


@pytest.mark.parametrize(
    ("beyond_budget", "outcome", "restored"),
    [
        ("stop", "stopped", set()),
        ("restore_wave", "stopped", {"1"}),
        ("restore_all", "restored", {"canaries", "1"}),
    ],
)
def test_beyond_the_budget_happens_what_was_declared(beyond_budget: str, outcome: str, restored: set[str]) -> None:
    """One failure in wave 1 is too many: later units stay untouched, delivered ones go back as declared."""
    rules = FleetRules(canaries=("t000",), steps=(4, "100%"), beyond_budget=beyond_budget, max_parallel=10)
    begun = fleet(tenants(8), rules)
    names = {stage.name: set() for stage in begun.waves}
    units = iter(begun.units)
    for stage in begun.waves:
        names[stage.name] = {next(units) for _ in range(stage.size)}
    victim = sorted(names["1"])[1]
    state, actions = run(begun, failing(victim))
    ends = unit_ends(state)
    delivered_before = (names["canaries"] | names["1"]) - {victim}
    expected = {unit for wave in restored for unit in names[wave]} - {victim}
    assert {unit for action in actions if isinstance(action, RestoreUnits) for unit in action.units} == expected
    assert {unit for unit, end in ends.items() if end == "delivered"} == delivered_before - expected
    assert {unit for unit, end in ends.items() if end == "untouched"} == names["2"]
    assert the_end(actions).outcome == outcome
    assert the_end(actions).summary.ending == "over-budget"
    assert "1 of 8 units failed, 0 may" in the_end(actions).summary.reason


@pytest.mark.parametrize("is_after_bake", [False, True])
def test_a_failed_gate_takes_its_wave_back(is_after_bake: bool) -> None:
    """Whether before or after the bake: every unit of the wave was delivered, and none is healthy."""
    rules = FleetRules(canaries=("t000", "t001"), bake_seconds=60, gates=GATES)
    state, actions = run(fleet(tenants(5), rules), gates_fail_in("canaries", is_after_bake=is_after_bake))
    ends = unit_ends(state)
    assert {unit for unit, end in ends.items() if end == "restored"} == {"tenant/t000", "tenant/t001"}
    assert the_end(actions).outcome == "restored"
    assert "the gate few-errors failed in wave canaries" in the_end(actions).summary.reason


@pytest.mark.parametrize("wave", ["removals", "core-removals"])
@pytest.mark.parametrize("beyond_budget", ["restore_wave", "restore_all"])
def test_a_tenant_that_went_away_is_never_created_anew(beyond_budget: str, wave: str) -> None:
    """It would be empty and called restored. The others go back as declared, and so do services: they hold nothing."""
    rules = FleetRules(gates=GATES, beyond_budget=beyond_budget, max_parallel=10)
    state, actions = run(fleet([*tenants(2), *GONE], rules), gates_fail_in(wave))
    restored = {unit for action in actions if isinstance(action, RestoreUnits) for unit in action.units}
    services = {"service/old"} if wave == "core-removals" else set()
    assert restored == services | ({"tenant/t000", "tenant/t001"} if beyond_budget == "restore_all" else set())
    assert unit_ends(state)["tenant/gone"] == "delivered"
    assert the_end(actions).outcome == "stopped", "not restored: somebody is gone"


def test_a_restore_that_fails_is_said_loudly() -> None:
    """The wave is restored but for one unit, which then needs an operator, and so the rollout ends."""
    rules = FleetRules(max_parallel=10, gates=GATES)

    def answer(state: FleetState, action: Action) -> FleetState | None:
        return gates_fail_in("1")(state, action) or restoring_fails("tenant/t001")(state, action)

    state, actions = run(fleet(tenants(3), rules), answer)
    assert the_end(actions).outcome == "needs-operator"
    assert the_end(actions).summary.text == "2 restored, 1 in need of an operator"
    assert state.failures[-1].reason == "the cluster is away"


@pytest.mark.parametrize("max_parallel", [1, 2, 4])
def test_restores_keep_to_the_number_that_deliveries_do(max_parallel: int) -> None:
    """Never more at once than may be, the last wave first; the end waits for every answer."""
    state = fleet(tenants(4), FleetRules(gates=GATES, max_parallel=max_parallel))
    restores: list[tuple[str, ...]] = []
    step = next_actions(state, NOON)
    while not any(isinstance(action, Finish) for action in step.actions):
        state = step.state
        for action in step.actions:
            if isinstance(action, RestoreUnits):
                restores.append(action.units)
                assert next_actions(state, NOON).actions == ()
                assert [set(one.units) for one in outstanding(state)] == [set(action.units)]  # type: ignore[union-attr]
            is_check = isinstance(action, CheckGates)
            state = gate_failed(state, "few-errors", "0.2") if is_check else answered_well(state, action, NOON)
        step = next_actions(state, NOON)
    assert max(map(len, restores)) == max_parallel
    assert sorted(unit for units in restores for unit in units) == sorted(state.units)


def test_a_service_stays_while_somebody_who_failed_may_still_call_it() -> None:
    """A tenant was restored to what it was, so the service that goes away does not."""
    units = [*tenants(2), FleetUnit("service/old", "remove")]
    state, _ = run(fleet(units, FleetRules(failure_budget=1)), failing("tenant/t001"))
    assert unit_ends(state)["service/old"] == "untouched"
    state, _ = run(fleet(units, FleetRules(failure_budget=1)))
    assert unit_ends(state)["service/old"] == "delivered"


def test_a_retried_unit_is_proven_again() -> None:
    """It failed in wave 1 and is retried while that bakes: delivered, checked and baked before wave 2 begins."""
    rules = FleetRules(steps=(2,), bake_seconds=600, gates=GATES, failure_budget=1)
    state = fleet(tenants(3), rules)
    victim = state.units[0]
    step = next_actions(state, NOON)
    state = unit_failed(step.state, victim, "restored", "no pod is ready")
    state = unit_succeeded(state, step.actions[0].units[1])  # type: ignore[union-attr]
    step = next_actions(state, NOON)
    assert isinstance(step.actions[0], CheckGates)
    step = next_actions(answered_well(step.state, step.actions[0], NOON), NOON)
    assert isinstance(step.actions[0], WaitUntil)
    later = NOON + timedelta(seconds=500)
    step = next_actions(retry(step.state, victim, "ines", later), later)
    assert step.actions == (StartUnits((victim,)),)
    _, actions = run(unit_succeeded(step.state, victim), now=later)
    assert [type(action) for action in actions[:4]] == [CheckGates, WaitUntil, CheckGates, StartUnits]
    assert actions[1] == WaitUntil(later + timedelta(seconds=600), "wave 1 proves itself")
    assert the_end(actions).outcome == "delivered"


def test_an_approval_that_nobody_gives_keeps_the_wave_closed() -> None:
    """It is asked for once; strangers and wrong waves are refused; an approver's word opens it."""
    rules = FleetRules(canaries=("t000",), approval_before=(1,), approvers=("ines", "role:manager", "role:nobody"))
    state = fleet(tenants(3), rules, roles={"manager": ("tom",)})
    step = next_actions(state, NOON)
    step = next_actions(unit_succeeded(step.state, "tenant/t000"), NOON)
    assert step.actions == (AskApproval("1", ("ines", "tom", "role:nobody")),)
    assert next_actions(step.state, NOON).actions == ()
    for by in ("eve", "manager", "role:manager", "role:nobody"):
        with pytest.raises(DecisionRefused, match="may not approve") as refused:
            approve(step.state, "1", by, NOON)
        assert refused.value.next_step == "ask one of: ines, tom (manager), role:nobody"
    with pytest.raises(DecisionRefused, match="wave 2 does not wait"):
        approve(step.state, "2", "ines", NOON)
    approved = approve(step.state, "1", "tom", NOON)
    assert approved.decisions[-1].by == "tom (manager)"
    assert isinstance(next_actions(approved, NOON).actions[0], StartUnits)


@pytest.mark.parametrize("is_expired", [False, True])
def test_a_wave_that_is_rejected_ends_the_rollout_and_undoes_nothing(is_expired: bool) -> None:
    """What the canaries got stays; the others stay untouched, whether a person or the time said no."""
    rules = FleetRules(canaries=("t000",), approval_before=(1,), approvers=("ines",))

    def answer(state: FleetState, action: Action) -> FleetState | None:
        if not isinstance(action, AskApproval):
            return None
        no = approval_expired(state, "1", NOON) if is_expired else reject(state, "1", "ines", NOON, reason="too slow")
        assert approval_expired(no, "1", NOON) == no, "once is enough"
        return no

    state, actions = run(fleet(tenants(3), rules), answer)
    assert the_end(actions).outcome == "rejected"
    assert unit_ends(state)["tenant/t000"] == "delivered"
    assert the_end(actions).summary.untouched == 2


def test_a_pause_keeps_everything_from_starting_until_it_is_resumed() -> None:
    """What is under way may finish; nothing else begins, and no wave is opened."""
    state = fleet(tenants(3), FleetRules(steps=(2,), max_parallel=1))
    for unit in state.units[:2]:
        step = next_actions(state, NOON)
        paused = pause(unit_succeeded(step.state, unit), "ines", NOON)
        step = next_actions(paused, NOON)
        assert step.actions == ()
        assert step.state.opened == 1
        state = resume(paused, "ines", NOON)
    with pytest.raises(DecisionRefused, match="paused already"):
        pause(paused, "tom", NOON)
    _, actions = run(resume(paused, "ines", NOON))
    assert the_end(actions).outcome == "delivered"


def test_a_freeze_holds_the_start_of_units_and_an_override_is_recorded() -> None:
    """Held until the freeze is over, unless a person gives a reason; nothing else can be overridden."""
    state = fleet(tenants(2), has_calendar=True)
    step = next_actions(state, NOON)
    assert step.actions == (ReadCalendar(),)
    freeze = Closed(AT - 10, AT + 3600, "freeze year-end (The books are closed.)")
    held = calendar_read(step.state, Calendar(AT, AT + 10_000, [freeze]))
    step = next_actions(held, NOON)
    assert step.actions == (WaitUntil(NOON + timedelta(hours=1), freeze.why),)
    with pytest.raises(DecisionRefused, match="needs a reason"):
        override_hold(step.state, "ines", NOON, reason=" ")
    overridden = override_hold(step.state, "ines", NOON, reason="a fix cannot wait")
    assert overridden.decisions[-1].about == freeze.why
    assert overridden.decisions[-1].reason == "a fix cannot wait"
    assert isinstance(next_actions(overridden, NOON).actions[0], StartUnits)
    after = NOON + timedelta(hours=1)
    assert isinstance(next_actions(held, after).actions[0], StartUnits)
    with pytest.raises(DecisionRefused, match="nothing holds"):
        override_hold(held, "ines", after, reason="a fix cannot wait")


def test_a_pause_before_the_gates_keeps_them_from_being_asked() -> None:
    """Given a pause while the wave was being delivered, its gates wait for the word to go on."""
    step = next_actions(fleet(tenants(2), FleetRules(gates=GATES, max_parallel=2)), NOON)
    state = pause(step.state, "ines", NOON)
    for unit in state.units:
        state = unit_succeeded(state, unit)

    paused = next_actions(state, NOON)

    assert paused.actions == ()
    assert [type(one) for one in next_actions(resume(paused.state, "ines", NOON), NOON).actions] == [CheckGates]


@pytest.mark.parametrize(("fresh_seconds", "is_read_again"), [(0, False), (60, True)])
def test_the_calendar_is_read_before_each_wave_where_a_freeze_may_be_declared_meanwhile(
    fresh_seconds: int, is_read_again: bool
) -> None:
    """However far ahead it was known."""

    def answer(state: FleetState, action: Action) -> FleetState | None:
        return calendar_read(state, Calendar(AT, 2**40)) if isinstance(action, ReadCalendar) else None

    state = fleet(tenants(2), FleetRules(steps=(1,)), has_calendar=True, calendar_fresh_seconds=fresh_seconds)
    _, actions = run(state, answer)

    again = [ReadCalendar] if is_read_again else []
    assert [type(action) for action in actions] == [ReadCalendar, StartUnits, *again, StartUnits, Finish]


@pytest.mark.parametrize(
    ("fresh_seconds", "ends_after_seconds", "looks_after_seconds"),
    [
        (0, 90_000, 90_000),
        (60, 90_000, LOOK_AGAIN_SECONDS),
        (7200, 90_000, 7200),
        (60, 1800, 1800),
    ],
)
def test_what_holds_may_be_taken_back_and_is_looked_at_again(
    fresh_seconds: int, ends_after_seconds: int, looks_after_seconds: int
) -> None:
    """Once an hour, or as seldom as the calendar is read; never later than it ends."""
    state = fleet(tenants(1), has_calendar=True, calendar_fresh_seconds=fresh_seconds)
    closed = Closed(AT, AT + ends_after_seconds, "freeze year-end")
    held = calendar_read(next_actions(state, NOON).state, Calendar(AT, AT + 2 * ends_after_seconds, [closed]))

    assert next_actions(held, NOON).actions == (WaitUntil(NOON + timedelta(seconds=looks_after_seconds), closed.why),)


def test_an_approval_is_waited_for_as_long_as_is_declared() -> None:
    """Asked once; overdue from the last second on, unless somebody approved. Without a limit it never is."""
    rules = FleetRules(approval_before=(1,), approvers=("ines",), approval_within_seconds=3600)
    unlimited = next_actions(fleet(tenants(1), msgspec.structs.replace(rules, approval_within_seconds=0)), NOON)
    asked = next_actions(fleet(tenants(1), rules), NOON)
    deadline = NOON + timedelta(hours=1)

    assert unlimited.actions == (AskApproval("1", ("ines",)),)
    assert overdue_wave(unlimited.state, deadline + timedelta(days=9)) == ""
    assert asked.actions == (AskApproval("1", ("ines",)), WaitUntil(deadline, "approval of wave 1"))
    assert next_actions(asked.state, NOON).actions == (WaitUntil(deadline, "approval of wave 1"),)
    assert [overdue_wave(asked.state, deadline - timedelta(seconds=late)) for late in (1, 0)] == ["", "1"]
    assert overdue_wave(approve(asked.state, "1", "ines", NOON), deadline) == ""


def test_a_calendar_that_is_known_no_further_is_read_again() -> None:
    """Before a unit is started at a time about which nothing is known, the calendar is asked for, once."""
    state = calendar_read(fleet(tenants(1), has_calendar=True), Calendar(AT - 20, AT - 10))
    step = next_actions(state, NOON)
    assert step.actions == (ReadCalendar(),)
    assert next_actions(step.state, NOON).actions == ()


def test_cancelling_lets_what_is_under_way_end_as_it_ends() -> None:
    """One of it is delivered, the other fails and is restored by itself; nothing more is started or undone."""
    state = fleet(tenants(4), FleetRules(max_parallel=3))
    first, second, third, fourth = state.units
    step = next_actions(state, NOON)
    state = cancel(unit_succeeded(step.state, first), "ines", NOON, reason="wrong commit")
    assert next_actions(state, NOON).actions == ()
    assert outstanding(state) == (StartUnits((second, third)),)
    state = unit_succeeded(unit_failed(state, second, "restored", "the quota is exceeded"), third)
    finish = next_actions(state, NOON).actions[0]
    assert isinstance(finish, Finish)
    assert finish.outcome == "cancelled"
    assert finish.summary.reason == "cancelled by ines: wrong commit"
    assert unit_ends(state) == {first: "delivered", second: "restored", third: "delivered", fourth: "untouched"}


def test_a_newer_commit_lets_what_is_under_way_finish() -> None:
    """Nothing is cancelled, restored or started any more; a failure on the way out is that unit's own."""
    state = fleet(tenants(3), FleetRules(max_parallel=2))
    step = next_actions(state, NOON)
    state = supersede(step.state, "c0ffee", NOON)
    assert next_actions(state, NOON).actions == ()
    state = unit_failed(unit_succeeded(state, state.units[0]), state.units[1], "restored", "no pod is ready")
    finish = next_actions(state, NOON).actions[0]
    assert isinstance(finish, Finish)
    assert finish.outcome == "superseded"
    assert finish.summary.text == "1 delivered, 1 restored, 1 untouched"


def test_a_rollout_makes_way_before_it_begins_and_while_it_waits() -> None:
    """For a person or for the calendar; what works on is not interrupted, since each newer commit would begin anew."""
    rules = FleetRules(canaries=("t000",), approval_before=(1,), approvers=("ines",), bake_seconds=600)
    state = fleet(tenants(3), rules, has_calendar=True)
    assert gives_way(state, NOON)
    state = calendar_read(next_actions(state, NOON).state, Calendar(AT, AT + 100_000, [Closed(AT, AT + 10, "freeze")]))
    assert gives_way(next_actions(state, NOON).state, NOON)
    begun_at = NOON + timedelta(seconds=10)
    state = next_actions(state, begun_at).state
    assert not gives_way(state, begun_at), "a canary is being delivered"
    assert gives_way(pause(state, "ines", begun_at), begun_at)
    state = next_actions(unit_succeeded(state, "tenant/t000"), begun_at).state
    assert (state.phase, gives_way(state, begun_at)) == ("bake", False)
    baked_at = begun_at + timedelta(seconds=600)
    state = next_actions(state, baked_at).state
    assert gives_way(state, baked_at), "an approval is waited for"
    state = next_actions(approve(state, "1", "ines", baked_at), baked_at).state
    assert not gives_way(state, baked_at)
    held = Closed(AT, AT + 5000, "freeze")
    frozen = calendar_read(unit_succeeded(state, state.units[1]), Calendar(AT, AT + 100_000, [held]))
    assert (frozen.phase, gives_way(frozen, baked_at)) == ("deliver", False), "nothing is left that could be held"
    assert not gives_way(supersede(pause(state, "ines", baked_at), "c0ffee", baked_at), baked_at)


@pytest.mark.parametrize("is_overridden", [False, True])
def test_a_rollout_that_is_held_midway_makes_way(is_overridden: bool) -> None:
    """Unless somebody has overridden what holds it: then it works."""
    state = fleet(tenants(3), FleetRules(max_parallel=1), has_calendar=True)
    state = next_actions(calendar_read(next_actions(state, NOON).state, Calendar(AT, AT + 9000)), NOON).state
    freeze = Closed(AT, AT + 5000, "freeze incident")
    state = calendar_read(unit_succeeded(state, state.units[0]), Calendar(AT, AT + 9000, [freeze]))
    if is_overridden:
        state = override_hold(state, "ines", NOON, reason="a fix cannot wait")
    state = next_actions(state, NOON).state
    assert gives_way(state, NOON) != is_overridden


def test_a_skipped_unit_stays_as_it_is() -> None:
    """With a reason, and only before it starts; an approval for a wave of skipped units is not asked for."""
    rules = FleetRules(canaries=("t000",), approval_before=(1,), approvers=("ines",))
    state = fleet(tenants(2), rules)
    with pytest.raises(DecisionRefused, match="needs a reason"):
        skip(state, "tenant/t001", "ines", NOON, reason="")
    with pytest.raises(UnitUnknown, match="tenant/nobody"):
        skip(state, "tenant/nobody", "ines", NOON, reason="they asked for it")
    state = skip(state, "tenant/t001", "ines", NOON, reason="they asked for it")
    step = next_actions(state, NOON)
    with pytest.raises(DecisionRefused, match="started already"):
        skip(step.state, "tenant/t000", "ines", NOON, reason="they asked for it")
    state, actions = run(unit_succeeded(step.state, "tenant/t000"))
    assert [type(action) for action in actions] == [Finish]
    assert unit_ends(state)["tenant/t001"] == "skipped"
    assert the_end(actions).outcome == "partly-delivered"


def test_a_unit_that_needs_an_operator_is_not_retried_before_it_is_restored() -> None:
    """Nor is one that has not failed."""
    state = next_actions(fleet(tenants(2), FleetRules(failure_budget=1, max_parallel=2)), NOON).state
    state = unit_failed(state, "tenant/t000", "needs-operator", "the cluster is away")
    with pytest.raises(DecisionRefused, match="could not be restored"):
        retry(state, "tenant/t000", "ines", NOON)
    with pytest.raises(DecisionRefused, match="has not failed"):
        retry(state, "tenant/t001", "ines", NOON)


def test_nothing_can_be_decided_after_the_end() -> None:
    """Every word is refused with how it ended and what to do instead."""
    state, _ = run(fleet(tenants(1)))
    for decide in (pause, resume, cancel, supersede):
        with pytest.raises(DecisionRefused, match="has ended: delivered") as refused:
            decide(state, "ines", NOON)
        assert "submit" in refused.value.next_step


def test_a_rollout_of_nothing_ends_at_once() -> None:
    """No unit, no wave, no question."""
    _, actions = run(fleet([]))
    assert [type(action) for action in actions] == [Finish]
    assert the_end(actions).summary.text == "nothing to deliver"


def test_a_workflow_that_takes_over_learns_what_is_outstanding() -> None:
    """Two units in flight, then a check, then a question: each is told again, none is asked for again."""
    rules = FleetRules(canaries=("t000",), gates=GATES, approval_before=(1,), approvers=("ines",))
    step = next_actions(fleet(tenants(2), rules), NOON)
    for expected in (StartUnits, CheckGates, AskApproval):
        taken_over = msgspec.json.decode(msgspec.json.encode(step.state), type=FleetState)
        assert outstanding(taken_over) == step.actions
        assert isinstance(step.actions[0], expected)
        assert next_actions(taken_over, NOON).actions == ()
        step = next_actions(answered_well(step.state, step.actions[0], NOON), NOON)


def test_a_time_without_a_zone_decides_nothing() -> None:
    """It could be anywhere's."""
    with pytest.raises(ValueError, match="no instant"):
        next_actions(fleet(tenants(1)), NOON.replace(tzinfo=None))


def test_five_thousand_units_stay_small() -> None:
    """Long names and every record kept: the state stays far below Temporal's 2 MB a payload."""
    units = [FleetUnit(f"tenant/{number:040}") for number in range(5000)]
    state = fleet(units, FleetRules(failure_budget="100%", max_parallel=100))
    plain = len(msgspec.json.encode(fleet([FleetUnit(f"tenant/customer-{n:04}") for n in range(5000)])))
    state = next_actions(state, NOON).state
    for unit in units[:2]:
        for _ in range(60):
            state = unit_failed(state, unit.id, "restored", "x" * 5000)
            state = pause(state, "y" * 500, NOON, reason="z" * 5000)
            state = resume(state, "y" * 500, NOON, reason="z" * 5000)
    size = len(msgspec.json.encode(state))
    assert plain <= 130_000
    assert size <= 500_000
