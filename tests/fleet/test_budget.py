"""How many failures a rollout may have."""

from __future__ import annotations

import pytest

from policies.infrastructure.spec import FleetRules
from tests.fleet.fleets import NOON, fleet, tenants
from workflows.fleet.answers import unit_failed
from workflows.fleet.budget import allowed_failures, budget_of
from workflows.fleet.decisions import retry
from workflows.fleet.machine import next_actions


@pytest.mark.parametrize(
    ("share", "total", "allowed"),
    [(0, 100, 0), (3, 100, 3), (30, 10, 10), ("2%", 100, 2), ("2%", 149, 2), ("2%", 49, 0), ("100%", 7, 7), (0, 0, 0)],
)
def test_a_budget_is_a_number_or_a_percentage_rounded_down(share: int | str, total: int, allowed: int) -> None:
    """Two percent of 149 units are two; of 49 none: a budget never allows more than it says."""
    assert allowed_failures(share, total) == allowed


def test_failures_count_until_they_are_retried() -> None:
    """Restored or not, a failed unit counts; one that is given another chance does not."""
    state = next_actions(fleet(tenants(4), FleetRules(failure_budget=2)), NOON).state
    state = unit_failed(state, "tenant/t000", "restored", "no pod is ready")
    state = unit_failed(state, "tenant/t001", "needs-operator", "the cluster is away")
    assert str(budget_of(state)) == "2 of 4 units failed, 2 may"
    assert not budget_of(state).is_exceeded
    assert budget_of(retry(state, "tenant/t000", "ines", NOON)).failed == 1
    state = unit_failed(state, "tenant/t002", "restored", "no pod is ready")
    assert budget_of(state).is_exceeded
    assert state.ending == "over-budget"
