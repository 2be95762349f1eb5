"""The waves that a preview draws are those that the fleet would run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipelines.preview.markdown import markdown
from pipelines.preview.report import EnvironmentReport, FleetOutline, Holds
from pipelines.preview.waves import fleet_outline, holds_now, rule_words, wave_title
from pipelines.screens.preview import preview_screen
from policies.change_set import diff
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Freeze, Window
from policies.masking import Masker
from policies.tenancy.spec import ResourceLimits
from tests.fleet.test_guide import GUIDE
from tests.fleet.test_guide import example as guide_example
from tests.preview.examples import (
    FLEET,
    changed,
    customers,
    delivery,
    fleet_changed,
    outline,
    pinned,
    report,
    shop,
    state,
)
from tests.preview.test_examples import drawn
from tests.support.desired import service_spec, tenant_unit
from workflows.cells.plan import mixed
from workflows.fleet.activities import fleet_plan
from workflows.rollout.plan import core_changes

NOON = datetime(2026, 12, 21, 12, tzinfo=UTC)  # a Monday
YEAR_END = Freeze(
    name="year-end", reason="Books.", from_="2026-12-18T18:00", until="2027-01-04T08:00", time_zone="Europe/Berlin"
)


def drawn_for(rules: FleetRules) -> FleetOutline:
    """Of the example of a changed fleet, under other rules."""
    (one,) = fleet_changed().environments
    assert one.fleet is not None
    before, after = shop(tenants=customers(41, 20)), shop(tenants=customers(40, 30))
    base = state(*before)
    found = fleet_outline(base, pinned(state(*after), base), delivery(rules), Holds())
    assert found is not None
    return found


@pytest.mark.parametrize(
    "rules",
    [FLEET, FleetRules(), FleetRules(canaries=("customer-03",), steps=("10%", "100%"), failure_budget=3)],
)
def test_waves_and_budget_are_those_of_the_fleets_own_plan(rules: FleetRules) -> None:
    """Core apart, which is delivered before the fleet begins."""
    base = state(*shop(tenants=customers(41, 20)))
    units = shop(cart=service_spec(version="v9"), tenants=customers(40, 30))
    after = pinned(state(*(unit for unit in units if unit.id != "service/frontend")), base)
    core = core_changes(diff(base, after))

    shown = fleet_outline(base, after, delivery(rules), Holds())
    run = fleet_plan(mixed(base, after, core), after, delivery(rules)).state

    assert shown is not None
    assert (shown.waves[0].name, list(shown.waves[0].units)) == ("core", core)
    waves = [(wave.name, len(wave.units), wave.needs_approval) for wave in shown.waves[1:]]
    assert waves == [(stage.name, stage.size, stage.needs_approval) for stage in run.waves]
    assert sorted(unit for wave in shown.waves[1:] for unit in wave.units) == sorted(run.units)
    assert (shown.total, shown.allowed_failures) == (len(run.units), run.limits.allowed_failures)


def test_no_waves_are_drawn_where_tenants_are_not_delivered_in_waves_or_do_not_change() -> None:
    """There is nothing to see."""
    base = state(*shop(tenants=customers(3, 20)))
    after = pinned(state(*shop(tenants=customers(3, 30))), base)
    only_service = pinned(state(*shop(cart=service_spec(version="v9"), tenants=customers(3, 20))), base)

    assert fleet_outline(base, after, delivery(None), Holds()) is None
    assert fleet_outline(base, after, None, Holds()) is None
    assert fleet_outline(base, None, delivery(FLEET), Holds()) is None
    assert fleet_outline(base, only_service, delivery(FLEET), Holds()) is None
    assert fleet_outline(base, after, delivery(None, cells=4), Holds()) is not None


def test_what_was_merged_earlier_is_in_the_waves_too() -> None:
    """A rollout starts from what is delivered, not from the base branch."""
    delivered = state(*shop(tenants=customers(2, 20)))
    base = state(*shop(tenants=customers(3, 20)))
    after = pinned(state(*shop(tenants=customers(4, 20))), base)
    one = changed(list(after.units), list(base.units), before=delivered, delivery=delivery(FLEET), plan=None)

    assert isinstance(one, EnvironmentReport)
    assert one.fleet is not None
    assert sorted(unit for wave in one.fleet.waves for unit in wave.units) == [
        "tenant/customer-02",
        "tenant/customer-03",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "none of 41 units may fail; if one does, the current wave is restored"),
        ({"failure_budget": "100%"}, "any unit may fail, each restored alone"),
        ({"failure_budget": 3, "beyond_budget": "stop"}, "3 of 41 units may fail, each restored alone; beyond that it"),
        ({"bake_seconds": 90}, "between waves: 1 min 30 s of bake"),
        ({"max_parallel": 7}, "at most 7 at once"),
        ({"gates": FLEET.gates, "bake_seconds": 600}, "all-ready, shop-answers, then 10 min of bake, then the gates"),
    ],
)
def test_what_ends_a_rollout_is_said_in_words(changes: dict[str, object], expected: str) -> None:
    """Each part only where it is declared."""
    rules = msgspec.structs.replace(FleetRules(), **changes)

    assert expected in "; ".join(rule_words(drawn_for(rules)))


def test_a_step_says_how_far_it_reaches() -> None:
    """As it is declared; the last one reaches everybody, whether written or not."""
    assert [wave_title(wave) for wave in drawn_for(FLEET).waves] == [
        "canaries",
        "1 (up to 5)",
        "2 (up to 25%)",
        "3 (all)",
        "removals",
    ]


def test_a_freeze_that_holds_is_told_apart_from_one_that_comes() -> None:
    """By the clocks of its time zone."""
    rules = msgspec.structs.replace(delivery(FLEET), freezes=(YEAR_END,))

    during, before, long_before = (holds_now(rules, NOON - timedelta(days=days)) for days in (0, 4, 40))

    assert "freeze year-end (Books.) until 2027-01-04 08:00 in Europe/Berlin" in during.now
    assert during.coming == ()
    assert before.now == ""
    assert before.coming == ("freeze year-end (Books.) until 2027-01-04 08:00 in Europe/Berlin",)
    assert long_before == Holds()


def test_a_closed_window_holds() -> None:
    """Noon in UTC is after eleven in London."""
    window = Window(days=("mon",), from_="09:00", until="11:00", time_zone="Europe/London")
    rules = msgspec.structs.replace(delivery(FLEET), windows=(window,))

    assert "outside the windows until" in holds_now(rules, NOON).now
    assert holds_now(rules, NOON - timedelta(hours=2)).now == ""
    assert holds_now(rules, NOON).windows == ("mon 09:00–11:00 in Europe/London",)


def test_the_guide_shows_what_a_terminal_shows() -> None:
    """For its own example, with 200 tenants, a service that changes and one that goes."""
    document = {key: value for key, value in guide_example().items() if key not in {"apiVersion", "kind"}}
    rules = msgspec.convert(document, EnvironmentSpec)
    named = tuple(tenant_unit("staging", name, display_name=name) for name in ("acme", "globex"))
    raised = ResourceLimits(cpu="4", memory="8Gi", storage="50Gi", pods=30)
    named_raised = tuple(tenant_unit("staging", unit.inputs.name, resource_limits=raised) for unit in named)
    base = state(*shop(tenants=(*named, *customers(198, 20))))
    units = shop(cart=service_spec(version="v9"), tenants=(*named_raised, *customers(198, 30)))
    after = pinned(state(*(unit for unit in units if unit.id != "service/frontend")), base)

    fleet = fleet_outline(base, after, rules, holds_now(rules, NOON))
    one = EnvironmentReport(environment="e", delivered_commit="", pending_units=("x",), fleet=fleet)
    screen = drawn(preview_screen(report(one)))

    shown = re.search(r"```text\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert shown.group(1) in screen


def test_many_waves_are_cut_and_counted() -> None:
    """A table of a hundred rows is no table."""
    many = outline(*((f"{number}", f"tenant/t{number}") for number in range(100)))
    one = report(EnvironmentReport(environment="staging", delivered_commit="", pending_units=("x",), fleet=many))

    assert "| … | 88 more waves | |" in markdown(one)
    assert "… 92 more (--full)" in drawn(preview_screen(one))
    assert "more (--full)" not in drawn(preview_screen(one, is_full=True))


def test_secrets_in_names_of_gates_and_reasons_of_freezes_are_masked() -> None:
    """They come from environment.yaml, where nobody expects one, and go to everybody who may read the comment."""
    told = outline(("canaries", "tenant/a"), gates=("x canary-5f1c0a77e2",), holds=Holds(coming=("canary-5f1c0a77e2",)))

    masked = Masker({"canary-5f1c0a77e2"}).texts(told)

    assert (masked.gates, masked.holds.coming) == (("x •••",), ("•••",))
    assert masked.waves == told.waves
