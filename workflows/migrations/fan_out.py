"""Many databases in waves: which come first, how many may fail, which are handed over together. Pure.

The waves, the budget and the ends are those of the fleet of tenants
(``workflows.fleet``): canaries first, then the steps of environment.yaml. A
unit here is a database; one that several tenants share stands for all of them.
Gates, bakes and approvals are the rollout's own and are not asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from policies.infrastructure.spec import FleetRules
from policies.migrations.targets import MigrationTarget
from workflows.cells.models import UnitResult
from workflows.fleet.machine import start
from workflows.fleet.models import CANARIES, FleetState, FleetUnit, Wave
from workflows.fleet.waves import plan_waves
from workflows.migrations.models import TargetResult

BATCH = 100
MAX_UNDER_WAY = 400


def state_of(targets: Sequence[MigrationTarget], rules: FleetRules, *, is_needed: bool) -> FleetState:
    """The waves of ``targets`` before anything is done.

    ``is_needed``: services are written for what comes, so that no database may be left behind: the budget is nothing,
    and beyond it everything goes back.
    """
    return start(waves_of(targets, rules), _rules(rules, is_needed=is_needed))


def waves_of(targets: Sequence[MigrationTarget], rules: FleetRules) -> tuple[Wave, ...]:
    """Platform databases with the canaries, or before the first step; the rest by the tenant that stands for each."""
    canaries = set(rules.canaries)
    named = {_tenant_of(one, canaries): one.id for one in targets if one.tenants}
    platform = tuple(sorted(one.id for one in targets if not one.tenants))
    planned = plan_waves([FleetUnit(f"tenant/{tenant}") for tenant in named], rules)
    waves = [replace(one, units=tuple(named[_name(unit)] for unit in one.units)) for one in planned]
    if not platform:
        return tuple(waves)
    if waves and waves[0].name == CANARIES:
        return (replace(waves[0], units=(*platform, *waves[0].units)), *waves[1:])
    return (Wave(CANARIES, platform), *waves)


def batches(queue: Iterable[str], servers: Mapping[str, str], busy: Iterable[str]) -> dict[str, list[str]]:
    """What is handed over now: for every server on which nothing is under way, up to ``BATCH`` of its databases."""
    taken: dict[str, list[str]] = {}
    blocked = set(busy)
    for target in queue:
        server = servers[target]
        if server not in blocked and len(taken.setdefault(server, [])) < BATCH:
            taken[server].append(target)
    return taken


def as_units(results: Iterable[TargetResult]) -> list[UnitResult]:
    """The results as the fleet knows them. What was to go back and was kept is where it was asked to be not to lose."""
    return [_as_unit(one) for one in results]


def _as_unit(result: TargetResult) -> UnitResult:
    if result.outcome == "kept":
        return UnitResult(result.target, "delivered", result.why)
    return UnitResult(result.target, result.outcome, result.why)


def _rules(rules: FleetRules, *, is_needed: bool) -> FleetRules:
    ours = msgspec.structs.replace(
        rules, bake_seconds=0, gates=(), approval_before=(), approvers=(), max_parallel=MAX_UNDER_WAY
    )
    return msgspec.structs.replace(ours, failure_budget=0, beyond_budget="restore_all") if is_needed else ours


def _tenant_of(target: MigrationTarget, canaries: set[str]) -> str:
    """The tenant whose turn is the database's: a canary where it has one."""
    return next((one for one in target.tenants if one in canaries), target.tenants[0])


def _name(unit: str) -> str:
    return unit.partition("/")[2]
