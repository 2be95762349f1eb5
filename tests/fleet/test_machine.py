"""A fleet rollout in any order of events: what must never happen, and that it always ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from temporalio.converter import DataConverter

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import GATES, NOON
from workflows.fleet import answers, decisions
from workflows.fleet.decisions import DecisionRefused
from workflows.fleet.machine import awaited_wave, next_actions, outstanding, start
from workflows.fleet.models import (
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
from workflows.fleet.waves import plan_waves

SERVICES = ("service/cart", "service/shop")
STOPS = ("over-budget", "gate-failed")
converter = DataConverter.default.payload_converter

fleet_rules = st.builds(
    FleetRules,
    canaries=st.sampled_from([(), ("a",), ("b", "c")]),
    steps=st.sampled_from([(), (1, "50%"), ("25%", "50%", "100%"), (2, 4)]),
    bake_seconds=st.sampled_from([0, 600]),
    failure_budget=st.sampled_from([0, 1, 2, "50%"]),
    beyond_budget=st.sampled_from(["stop", "restore_wave", "restore_all"]),
    gates=st.sampled_from([(), GATES]),
    approval_before=st.sampled_from([(), (1,), ("canaries", 2)]),
    approvers=st.just(("ines", "role:manager")),
    max_parallel=st.integers(1, 4),
)
unit_sets = st.lists(
    st.builds(
        FleetUnit,
        st.sampled_from([f"tenant/{letter}" for letter in "abcdefgh"]),
        st.sampled_from(["add", "change", "change", "remove"]),
    )
    | st.builds(FleetUnit, st.sampled_from(SERVICES), st.just("remove")),
    unique_by=lambda unit: unit.id,
    min_size=2,
    max_size=10,
)
places = st.integers(0, 20)


class Rollout(RuleBasedStateMachine):
    """Everything that can happen to a rollout; beside it a record of what did, kept without the machine's help."""

    @initialize(
        units=unit_sets,
        rules=fleet_rules,
        has_calendar=st.booleans(),
    )
    def begin(self, units: list[FleetUnit], rules: FleetRules, has_calendar: bool) -> None:
        """A rollout of a few units."""
        waves = plan_waves(units, rules)
        self.rules = rules
        self.wave_of = {unit: number for number, wave in enumerate(waves) for unit in wave.units}
        self.waves = waves
        self.state = start(waves, rules, roles={"manager": ("tom",)}, has_calendar=has_calendar)
        self.now: datetime = NOON
        self.calendar = Calendar(0, 0) if has_calendar else None
        self.overridden_until = 0
        self.fates: dict[str, str] = {}
        self.starts_allowed = dict.fromkeys(self.wave_of, 1)
        self.in_flight: set[str] = set()
        self.restoring: set[str] = set()
        self.restored_after_delivery: set[str] = set()
        self.ever_delivered: set[str] = set()
        self.approved: set[str] = set()
        self.is_gate_asked = False
        self.wait: datetime | None = None
        self.finish: Finish | None = None
        self.ask()

    def ask(self) -> None:
        """Ask what is next, on the state and on what a round trip through JSON makes of it."""
        step = next_actions(self.state, self.now)
        assert next_actions(resumed(self.state), self.now) == step
        assert resumed(step.state) == step.state
        before, self.state, self.wait = self.state, step.state, None
        for action in step.actions:
            self.take(action, before)
        assert not next_actions(self.state, self.now).actions or self.wait, "everything is asked for once"

    def take(self, action: Any, before: FleetState) -> None:
        """Remember what is asked for, and hold it against what was allowed."""
        assert self.finish is None, "nothing is asked for after the end"
        if isinstance(action, StartUnits):
            self.started(action.units, before)
        elif isinstance(action, RestoreUnits):
            self.take_back(action.units)
        elif isinstance(action, CheckGates):
            assert not self.state.is_paused
            assert not self.in_flight
            assert not self.is_gate_asked
            assert self.rules.gates
            self.is_gate_asked = True
        elif isinstance(action, WaitUntil):
            assert action.at > self.now, "waiting for the past would never end"
            self.wait = action.at
        elif isinstance(action, Finish):
            self.finish = action

    def started(self, units: tuple[str, ...], before: FleetState) -> None:
        """Nothing is started that may not be."""
        assert units
        assert not before.is_paused
        assert not before.ending
        assert not self.is_over_budget()
        assert not self.is_held()
        for unit in units:
            assert unit not in self.in_flight
            assert self.fates.get(unit) is None, f"{unit} was {self.fates[unit]} already"
            assert self.starts_allowed[unit] == 1, f"{unit} was started already"
            self.starts_allowed[unit] = 0
            wave = self.waves[self.wave_of[unit]]
            assert not wave.needs_approval or wave.name in self.approved
            assert awaited_wave(self.state) != wave.name
            self.in_flight.add(unit)
        assert len(self.in_flight) + len(self.restoring) <= self.rules.max_parallel

    def take_back(self, units: tuple[str, ...]) -> None:
        """Only delivered units are restored, none that went away for good, and never more than may be under way."""
        assert units
        assert not self.in_flight
        for unit in units:
            assert self.fates[unit] == "delivered"
            self.fates[unit] = "restoring"
            assert self.waves[self.wave_of[unit]].name != "removals"
        self.restoring.update(units)
        assert len(self.restoring) <= self.rules.max_parallel

    def is_over_budget(self) -> bool:
        """By the record alone."""
        budget, total = self.rules.failure_budget, len(self.wave_of)
        allowed = total // 2 if budget == "50%" else int(budget)
        return sum(fate in {"failed", "broken"} for fate in self.fates.values()) > allowed

    def is_held(self) -> bool:
        """By the calendar that was last read."""
        if self.calendar is None:
            return False
        at = int(self.now.timestamp())
        is_known = self.calendar.known_from <= at < self.calendar.known_until
        is_closed = any(period.begins_at <= at < period.ends_at for period in self.calendar.closed)
        return not is_known or (is_closed and at >= self.overridden_until)

    @precondition(lambda self: self.in_flight)
    @rule(which=places, fate=st.sampled_from(["delivered", "failed", "failed", "broken"]))
    def unit_answers(self, which: int, fate: str) -> None:
        """A delivery ends, one way or another."""
        unit = sorted(self.in_flight)[which % len(self.in_flight)]
        self.in_flight.remove(unit)
        self.fates[unit] = fate
        if fate == "delivered":
            self.ever_delivered.add(unit)
            self.state = answers.unit_succeeded(self.state, unit)
        else:
            end: Any = "restored" if fate == "failed" else "needs-operator"
            self.state = answers.unit_failed(self.state, unit, end, "no pod is ready")
        assert answers.unit_failed(self.state, unit, "restored", "again") == self.state, "a second answer is too late"
        self.ask()

    @precondition(lambda self: self.restoring)
    @rule(which=places, is_well=st.sampled_from([True, True, False]))
    def restore_answers(self, which: int, is_well: bool) -> None:
        """A restore ends."""
        unit = sorted(self.restoring)[which % len(self.restoring)]
        self.restoring.remove(unit)
        self.fates[unit] = "taken back" if is_well else "broken"
        self.restored_after_delivery.add(unit)
        if is_well:
            self.state = answers.unit_restored(self.state, unit)
        else:
            self.state = answers.restore_failed(self.state, unit, "the cluster is away")
        self.ask()

    @precondition(lambda self: self.is_gate_asked)
    @rule(passes=st.booleans())
    def gates_answer(self, passes: bool) -> None:
        """The gates hold, or one does not."""
        self.is_gate_asked = False
        passed = answers.gate_passed(self.state)
        self.state = passed if passes else answers.gate_failed(self.state, "few-errors", "0.2 is above 0.01")
        self.ask()

    @rule(gaps=st.lists(st.integers(1, 5000), max_size=4), ahead=st.integers(1, 20_000))
    def calendar_answers(self, gaps: list[int], ahead: int) -> None:
        """The calendar is read, because it was asked for or because a merge brought another freeze."""
        if self.calendar is None:
            return
        at = int(self.now.timestamp())
        closed, begins_at = [], at
        for index, gap in enumerate(gaps):
            if index % 2 == 0:
                closed.append(Closed(begins_at, begins_at + gap, "freeze year-end"))
            begins_at += gap
        self.calendar = Calendar(at, max(begins_at, at + ahead), closed)
        self.state = answers.calendar_read(self.state, self.calendar)
        self.ask()

    @precondition(lambda self: awaited_wave(self.state))
    @rule(by=st.sampled_from(["ines", "tom", "eve", "role:manager"]), agrees=st.booleans())
    def somebody_judges_the_wave(self, by: str, agrees: bool) -> None:
        """An approver approves or rejects; nobody else can."""
        wave = awaited_wave(self.state)
        try:
            if agrees:
                self.state = decisions.approve(self.state, wave, by, self.now)
                self.approved.add(wave)
            else:
                self.state = decisions.reject(self.state, wave, by, self.now)
        except DecisionRefused:
            assert by in {"eve", "role:manager"}
        else:
            assert by in {"ines", "tom"}
        self.ask()

    @rule(
        word=st.sampled_from(["skip", "retry", "retry", "override"]),
        which=places,
    )
    def somebody_decides(self, word: str, which: int) -> None:
        """A word that may or may not fit."""
        unit = sorted(self.wave_of)[which % len(self.wave_of)] if self.wave_of else "tenant/nobody"
        before = self.state
        try:
            self.decide(word, unit)
        except (DecisionRefused, UnitUnknown):
            assert self.state == before
        else:
            assert len(self.state.decisions) == len(before.decisions) + 1 or len(before.decisions) == 50
        self.ask()

    @precondition(lambda self: not self.state.ending and not self.finish)
    @rule()
    def somebody_pauses_or_resumes(self) -> None:
        """Whichever fits."""
        self.decide("resume" if self.state.is_paused else "pause", "")
        self.ask()

    def decide(self, word: str, unit: str) -> None:
        """Say it, and remember what follows."""
        if word == "pause":
            self.state = decisions.pause(self.state, "ines", self.now)
        elif word == "resume":
            self.state = decisions.resume(self.state, "ines", self.now)
        elif word == "skip":
            self.state = decisions.skip(self.state, unit, "ines", self.now, reason="they asked for it")
            self.fates[unit] = "skipped"
        elif word == "retry":
            assert unit in self.wave_of or not self.wave_of
            self.state = decisions.retry(self.state, unit, "ines", self.now)
            assert self.fates.pop(unit) == "failed"
            self.starts_allowed[unit] = 1
        else:
            self.state = decisions.override_hold(self.state, "ines", self.now, reason="a fix cannot wait")
            self.overridden_until = self.state.overridden_until

    @rule(word=st.sampled_from(["cancel", "supersede"]), is_meant=st.sampled_from([False] * 9 + [True]))
    def somebody_ends_it(self, word: str, is_meant: bool) -> None:
        """A person cancels, or a merge brings a newer commit; seldom, so that other things happen too."""
        if not is_meant:
            return
        try:
            end = decisions.cancel if word == "cancel" else decisions.supersede
            self.state = end(self.state, "ines", self.now)
        except DecisionRefused:
            assert self.state.ending or self.finish
        self.ask()

    @rule(seconds=st.sampled_from([-100_000, -700, -1, 0, 1, 599, 600, 5000, 100_000]))
    def the_clock_jumps(self, seconds: int) -> None:
        """Time goes on, or an operator's clock is set back."""
        self.now += timedelta(seconds=seconds)
        self.ask()

    @precondition(lambda self: self.wait is not None)
    @rule()
    def the_timer_rings(self) -> None:
        """What was waited for has come."""
        assert self.wait is not None
        self.now = self.wait
        self.ask()

    @precondition(lambda self: not self.finish)
    @rule(answers_given=st.integers(2, 12))
    def all_goes_well_for_a_while(self, answers_given: int) -> None:
        """So that the later waves are reached as well."""
        for _ in range(answers_given):
            if self.finish is None:
                self.answer_something()

    @invariant()
    def the_record_agrees(self) -> None:
        """Nobody is two things at once, and a unit is what its last answer made of it."""
        if not hasattr(self, "state"):
            return
        ends = {"delivered": "delivered", "failed": "restored", "taken back": "restored", "broken": "needs-operator"}
        for unit, end in unit_ends(self.state).items():
            assert ends.get(self.fates.get(unit, ""), self.fates.get(unit, "untouched")) == end
        assert unit_ends(self.state).keys() == self.wave_of.keys() - self.in_flight - self.restoring
        asked_for = [action for action in outstanding(self.state) if not isinstance(action, AskApproval | CheckGates)]
        units = {unit for action in asked_for if not isinstance(action, ReadCalendar) for unit in action.units}  # type: ignore[union-attr]
        assert units == self.in_flight | self.restoring

    def teardown(self) -> None:
        """Whoever answers everything, and resumes what is paused, comes to the end."""
        if not hasattr(self, "state"):
            return
        for _ in range(500):
            if self.finish is not None:
                break
            self.answer_something()
        assert self.finish is not None, self.state
        self.the_end_is_whole(self.finish)

    def answer_something(self) -> None:
        """One answer, the first that is due."""
        if self.in_flight:
            self.unit_answers(0, "delivered")
        elif self.restoring:
            self.restore_answers(0, is_well=True)
        elif self.is_gate_asked and not self.state.ending:
            self.gates_answer(passes=True)
        elif self.state.is_paused and not self.state.ending:
            self.decide("resume", "")
            self.ask()
        elif awaited_wave(self.state):
            self.somebody_judges_the_wave("ines", agrees=True)
        elif self.state.is_calendar_asked:
            self.calendar_answers([], 20_000)
        elif self.wait is not None:
            self.the_timer_rings()
        else:
            self.ask()

    def the_end_is_whole(self, finish: Finish) -> None:
        """Each unit ended one way, the counts add up, and beyond the budget happened what was declared."""
        ends = unit_ends(self.state)
        assert ends.keys() == self.wave_of.keys()
        summary = finish.summary
        assert (
            summary.delivered + summary.restored + summary.skipped + summary.untouched + summary.needs_operator
        ) == len(ends)
        assert (finish.outcome == "needs-operator") == ("needs-operator" in ends.values())
        assert finish.outcome != "delivered" or set(ends.values()) <= {"delivered"}
        self.what_was_declared_happened()

    def what_was_declared_happened(self) -> None:
        """Stop restores nothing that was delivered, restore_wave its wave, restore_all everything; but nobody gone."""
        delivered = {unit for unit in self.ever_delivered if self.fates[unit] in {"delivered", "taken back", "broken"}}
        delivered -= {unit for wave in self.waves if wave.name == "removals" for unit in wave.units}
        how = self.rules.beyond_budget if self.state.ending in STOPS else "stop"
        current = self.state.opened - 1
        in_wave = {unit for unit in delivered if self.wave_of[unit] == current}
        expected = {"stop": set(), "restore_wave": in_wave, "restore_all": delivered}[how]
        assert self.restored_after_delivery == expected


def resumed(state: FleetState) -> FleetState:
    """The state after it was written down and read again, as Temporal does it; msgspec reads the same."""
    payloads = converter.to_payloads([state])
    read: FleetState = converter.from_payloads(payloads, [FleetState])[0]
    assert msgspec.json.decode(payloads[0].data, type=FleetState) == read
    return read


TestRollout = Rollout.TestCase
TestRollout.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
