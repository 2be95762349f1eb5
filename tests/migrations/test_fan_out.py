"""Waves of databases, without any server."""

from __future__ import annotations

import pytest

from policies.infrastructure.spec import FleetRules
from policies.migrations.targets import MigrationTarget
from workflows.migrations.fan_out import BATCH, as_units, batches, state_of, waves_of
from workflows.migrations.fan_out_workflow import REASONS_SHOWN, shown
from workflows.migrations.losses import named
from workflows.migrations.models import TargetResult


def target(name: str, *tenants: str, server: str = "main") -> MigrationTarget:
    """A database of these tenants; none: the platform's."""
    return MigrationTarget(
        id=f"{server}/{name}",
        server=server,
        database=name,
        schema="",
        scripts="shop",
        engine="mysql",
        tenants=tenants,
        from_version=1,
        to_version=2,
    )


RULES = FleetRules(canaries=("acme",), steps=(3, "100%"), failure_budget=1, beyond_budget="stop")


def test_the_canary_comes_first_and_brings_those_that_share_its_schema() -> None:
    """A schema of several tenants has one turn: its canary's."""
    targets = [target("b", "zeta", "acme"), *(target(f"t{n}", f"t{n}") for n in range(5))]
    waves = waves_of(targets, RULES)
    assert waves[0].units == ("main/b",)
    assert [len(wave.units) for wave in waves] == [1, 2, 3]


def test_databases_of_the_platform_come_before_those_of_tenants() -> None:
    """With the canaries, or in a wave of their own."""
    platform = target("catalog")
    assert waves_of([target("a", "acme"), platform], RULES)[0].units == ("main/catalog", "main/a")
    alone = waves_of([target("a", "other"), platform], RULES)
    assert [wave.units for wave in alone] == [("main/catalog",), ("main/a",)]
    assert waves_of([platform], RULES)[0].units == ("main/catalog",)


def test_what_services_need_may_fail_nowhere() -> None:
    """The declared budget is for what can lag behind."""
    targets = [target(f"t{n}", f"t{n}") for n in range(4)]
    needed, optional = state_of(targets, RULES, is_needed=True), state_of(targets, RULES, is_needed=False)
    assert (needed.limits.allowed_failures, needed.limits.beyond_budget) == (0, "restore_all")
    assert (optional.limits.allowed_failures, optional.limits.beyond_budget) == (1, "stop")
    assert not needed.limits.has_gates


def test_a_server_gets_one_batch_at_a_time_and_no_larger_one() -> None:
    """So that its limit holds, and one activity does not become a thousand."""
    queue = [f"a/{n}" for n in range(BATCH + 20)] + ["b/1", "c/1"]
    servers = {one: one[0] for one in queue}
    taken = batches(queue, servers, busy=["c"])
    assert {server: len(chosen) for server, chosen in taken.items()} == {"a": BATCH, "b": 1}
    assert taken["a"][0] == "a/0"


def test_reasons_that_are_not_shown_are_counted() -> None:
    """A list that ends without a word would look whole."""
    reasons = [f"main/t{number}: it fails" for number in range(REASONS_SHOWN + 2)]
    assert shown(reasons) == [*reasons[:REASONS_SHOWN], "and 2 more: see `adx migrate status`"]
    assert shown(reasons[:REASONS_SHOWN]) == reasons[:REASONS_SHOWN]
    assert named(["a", "b", "c"], 2) == "a, b and 1 more"
    assert named(["a", "b"], 2) == "a, b"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("delivered", "delivered"), ("restored", "restored"), ("kept", "delivered"), ("needs-operator", "needs-operator")],
)
def test_results_are_those_of_units(outcome: str, expected: str) -> None:
    """What was kept is no failure: it is told."""
    assert as_units([TargetResult("a", outcome, 1, "why")])[0].outcome == expected  # type: ignore[arg-type]
