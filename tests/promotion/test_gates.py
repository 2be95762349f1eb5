"""The gates of a promotion: how each stands, and when time will meet it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.promotion.gates import Facts, UnitFacts, gates_of
from pipelines.promotion.model import Gate
from policies.infrastructure.spec import Promotion

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRONTEND = UnitFacts("service/frontend", NOW - 3 * HOUR, delivered_by="rollout-1", tests_passed=True)
CHECKOUT = UnitFacts("service/checkout", NOW - 30 * HOUR, delivered_by="rollout-0", tests_passed=True)
FACTS = Facts("staging", NOW, [FRONTEND, CHECKOUT], tests_declared=4)


def gate(name: str, facts: Facts = FACTS, **rules: Any) -> Gate:
    """The gate ``name`` under ``rules``."""
    found = gates_of(facts, Promotion(from_="staging", **rules))
    (one,) = [one for one in found if one.name == name]
    return one


def with_frontend(**changes: Any) -> Facts:
    """The facts with another frontend."""
    return replace(FACTS, units=[replace(FRONTEND, **changes), CHECKOUT])


def test_two_gates_hold_where_nothing_is_declared() -> None:
    """What is frozen or being changed is no basis."""
    assert [(one.name, one.is_met) for one in gates_of(FACTS, None)] == [("not frozen", True), ("settled", True)]
    frozen = gates_of(replace(FACTS, frozen_reason="a restore failed", under_way="rollout-9"), None)
    assert [(one.is_met, one.said) for one in frozen] == [
        (False, "staging waits for an operator: a restore failed"),
        (False, "rollout-9 is under way"),
    ]


def test_only_declared_gates_are_asked() -> None:
    """Beside where it comes from."""
    names = [one.name for one in gates_of(FACTS, Promotion(from_="staging"))]

    assert names == ["from", "not frozen", "settled"]


def test_another_source_than_the_declared_one_does_not_meet() -> None:
    """Nobody leaves out the rehearsal by mistake."""
    found = gate("from", replace(FACTS, source="development"))

    assert (found.is_met, found.said) == (False, "promoted from development, declared is staging")


@pytest.mark.parametrize(("seconds", "is_met"), [(3 * 3600, True), (3 * 3600 + 1, False)])
def test_the_youngest_unit_decides_to_the_second(seconds: int, is_met: bool) -> None:
    """Exactly the time is enough; before, it is told when."""
    found = gate("time in place", time_in_place_seconds=seconds)

    assert found.is_met is is_met
    assert found.met_at == (None if is_met else NOW + timedelta(seconds=1))
    assert found.said.startswith("service/frontend in place for 3 h 00 min, 3 h 00 min wanted")


@pytest.mark.parametrize(("ago", "is_met"), [(1, False), (24, True), (25, True)])
def test_a_failure_counts_for_its_time(ago: int, is_met: bool) -> None:
    """The newest of all units; after the time it is forgotten."""
    failed = with_frontend(failed_at=NOW - ago * HOUR, failed_in="rollout-3")

    found = gate("no failure", failed, no_failure_within_seconds=24 * 3600)

    assert found.is_met is is_met
    assert found.met_at == (None if is_met else NOW + 23 * HOUR)
    assert "service/frontend failed or was restored" in found.said
    assert "rollout-3" in found.said


def test_without_a_failure_nothing_is_waited_for() -> None:
    """The usual case."""
    found = gate("no failure", no_failure_within_seconds=86400)

    assert (found.is_met, found.said) == (True, "none within 1 d 0 h")


@pytest.mark.parametrize(("passed", "is_met"), [(True, True), (False, False), (None, False)])
def test_tests_must_be_known_to_have_passed(passed: bool | None, is_met: bool) -> None:
    """Not knowing is not passing."""
    found = gate("tests passed", with_frontend(tests_passed=passed), tests_passed=True)

    assert found.is_met is is_met
    assert is_met or "service/frontend (rollout-1)" in found.said


def test_who_decides_about_drift_is_told() -> None:
    """Only the scheduled check writes what the gate reads; a comparison by hand would change nothing."""
    said = gate("no drift", no_drift=True).said

    assert said.endswith("since its delivery: the next scheduled check decides; see `adx drift --last`")


def test_no_tests_are_no_passed_tests() -> None:
    """The declarations refuse that for the future; what was delivered may be older."""
    found = gate("tests passed", replace(FACTS, tests_declared=0), tests_passed=True)

    assert (found.is_met, found.said) == (False, "staging declares no post-deployment tests")


@pytest.mark.parametrize(
    ("checked", "drifted", "is_met", "words"),
    [
        (timedelta(minutes=-5), None, True, "none found"),
        (timedelta(minutes=-5), timedelta(minutes=-5), False, "differs from what was delivered since"),
        (None, None, False, "was not compared"),
        (-4 * HOUR, None, False, "was not compared"),
    ],
)
def test_drift_must_have_been_looked_for_since_the_delivery(
    checked: timedelta | None, drifted: timedelta | None, is_met: bool, words: str
) -> None:
    """A check before the delivery says nothing about it."""
    times = {"checked_at": checked, "drifted_since": drifted}
    unit = with_frontend(**{name: None if span is None else NOW + span for name, span in times.items()}).units[0]

    found = gate("no drift", replace(FACTS, units=[unit]), no_drift=True)

    assert found.is_met is is_met
    assert words in found.said
