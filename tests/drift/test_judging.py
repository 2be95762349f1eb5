"""What follows from a check, and what the ledger keeps of it: never a value, and no end to a unit that drifts again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest

from infra.engine import Engine
from policies.change_set import diff
from policies.errors import AdxError
from policies.infrastructure.spec import DriftRules, EnvironmentSpec, Freeze
from tests.drift.objects import STATE, applied
from tests.drift.results import DRIFTED
from workflows.clients.kubernetes import Cluster
from workflows.drift.before import DriftBefore, drift_before, lines_of, with_drift
from workflows.drift.healing import HealPlan, ObjectHeal
from workflows.drift.judging import Verdict, calm_after, hindrance, kept, strays, units_seen, verdict
from workflows.ledger.drift import UnitDrift
from workflows.ledger.models import Environment, Quarantined

NOW = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
CART = ObjectHeal("service/cart", applied(STATE)["Deployment/shop-test/cart"].body)
PLAN = HealPlan((CART,), ("Deployment/shop-test/search: set by keda, whose fields are left alone",))
UNKNOWN = DriftBefore(failure="whether anything has drifted could not be looked at: no tool")
KNOWN = Environment(
    name="test",
    delivered_commit="a" * 40,
    delivered_state_digest="d",
    last_good_snapshot=None,
    fencing_token=1,
    frozen_reason=None,
)


def rules(**drift: object) -> EnvironmentSpec:
    """An environment that declares checks."""
    declared = DriftRules(**drift)  # type: ignore[arg-type] # the fields of DriftRules
    return EnvironmentSpec(
        name="test", description="x", owner="x", region="eu-west-1", namespace="shop-test", drift=declared
    )


def unit(heals: int, digest: str = "") -> UnitDrift:
    """What is known of the cart."""
    return UnitDrift(
        environment="test",
        unit="service/cart",
        digest=digest or STATE.by_id()["service/cart"].digest,
        commit="a" * 40,
        checked_at=NOW,
        drifted_since=NOW,
        objects=[],
        heals=heals,
        healed_at=NOW,
        heal_rollout="r",
    )


def judged(declared: EnvironmentSpec, *known: UnitDrift, hindered: str = "") -> Verdict:
    return verdict(PLAN, known, declared, hindrance=hindered, desired=STATE)


def test_where_healing_is_not_declared_nothing_is_healed_and_nothing_is_said_about_it() -> None:
    assert judged(rules()) == Verdict()


def test_what_drifted_is_healed_and_what_others_own_is_told() -> None:
    found = judged(rules(heal="always"))

    assert (found.to_heal, found.given_up) == (("service/cart",), ())
    assert "keda" in found.why_not


def test_a_unit_that_does_not_drift_now_is_not_given_up_however_often_it_was_healed() -> None:
    """It is not what keeps anybody busy."""
    platform = STATE.by_id()["platform"]
    calm = msgspec.structs.replace(unit(9, platform.digest), unit=platform.id)

    assert judged(rules(heal="always"), calm).given_up == ()


@pytest.mark.parametrize(("heals", "is_healed"), [(0, True), (2, True), (3, False), (4, False)])
def test_a_unit_that_drifts_again_and_again_is_given_up(heals: int, is_healed: bool) -> None:
    found = judged(rules(heal="always", give_up_after=3), unit(heals))

    assert bool(found.to_heal) == is_healed
    assert found.given_up == (() if is_healed else ("service/cart",))
    assert ("drifted again: service/cart" in found.why_not) is not is_healed


def test_a_unit_that_is_declared_otherwise_since_begins_anew() -> None:
    assert judged(rules(heal="always"), unit(9, "another")).to_heal == ("service/cart",)


def test_what_hinders_keeps_all_from_being_healed() -> None:
    found = judged(rules(heal="always"), hindered="freeze fair")

    assert found.to_heal == ()
    assert found.why_not.startswith("freeze fair")


def test_a_frozen_a_quarantined_and_a_closed_environment_hinder() -> None:
    frozen = msgspec.structs.replace(KNOWN, frozen_reason="apply failed")
    quarantined = Quarantined(environment="test", commit="a" * 40, reason="bad", rollout_id="r", at=NOW)
    fair = Freeze(name="fair", reason="The fair.", from_="2026-01-31T00:00", until="2026-02-01T00:00", time_zone="UTC")
    closed = msgspec.structs.replace(rules(), freezes=(fair,))

    assert hindrance(KNOWN, None, rules(), NOW) == ""
    assert "frozen: apply failed" in hindrance(frozen, None, rules(), NOW)
    assert "quarantined: bad" in hindrance(KNOWN, quarantined, rules(), NOW)
    assert "fair" in hindrance(KNOWN, None, closed, NOW)
    assert hindrance(KNOWN, None, closed, NOW + timedelta(days=1)) == ""


def test_calm_takes_an_hour_at_least() -> None:
    assert calm_after(DriftRules(check_every_seconds=60)) == timedelta(hours=1)
    assert calm_after(DriftRules(check_every_seconds=3600)) == timedelta(hours=10)


def test_paths_are_kept_and_values_never() -> None:
    """A value may be a secret, and what it was before may be one too."""
    text = str([kept(one) for one in DRIFTED.objects])

    assert "spec.replicas" in text
    assert "kubectl-edit" in text
    assert "a long value" not in text
    assert [one["name"] for one in strays(DRIFTED.objects)] == ["debug", "frontend-copy"]


def test_every_unit_is_recorded_with_what_has_drifted_of_it() -> None:
    """A unit without an object has not; an object of no unit belongs to none."""
    objects = tuple(
        msgspec.structs.replace(one, unit="service/cart") for one in DRIFTED.objects if one.unit == "service/frontend"
    )
    seen = {one.unit: [entry["name"] for entry in one.objects] for one in units_seen(STATE, objects)}

    assert seen.keys() == STATE.by_id().keys()
    assert seen["service/cart"] == ["frontend", "frontend-configuration"]
    assert seen["tenant/acme"] == []


def test_a_plan_names_objects_and_paths_and_at_most_a_few() -> None:
    lines = lines_of(DRIFTED.objects * 3)

    assert lines[0].startswith(
        "Deployment/frontend of service/frontend changed: spec.replicas by kubectl-edit, metadata"
    )
    assert lines[1] == "ConfigMap/frontend-configuration of service/frontend missing"
    assert lines[-1] == "10 more object(s)"


def test_a_summary_tells_what_has_drifted_or_why_nobody_could_look() -> None:
    """A failure is no drift, and is not told as one."""
    told = [with_drift("service/cart changed", one) for one in (DriftBefore(), DriftBefore(("a", "b")), UNKNOWN)]

    assert told == [
        "service/cart changed",
        "service/cart changed; drifted before it: a, b",
        "service/cart changed; whether anything has drifted could not be looked at: no tool",
    ]


async def test_a_look_that_fails_is_apart_from_what_has_drifted() -> None:
    """The change goes on; whoever approves it must know."""

    def engine_of(stack: str) -> Engine:
        raise AdxError("no tool", next_step=f"look at {stack}")

    change_set = diff(STATE, msgspec.structs.replace(STATE, units=STATE.units[1:]))

    assert await drift_before(STATE, change_set, engine_of, cast("Cluster", None)) == UNKNOWN
    assert await drift_before(None, change_set, engine_of, cast("Cluster", None)) == DriftBefore()
