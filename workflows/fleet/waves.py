"""Which unit is delivered in which wave. Pure; the same whatever order the units come in.

::

    core            platform and services, as one delivery
    canaries        tenants that are declared so, and what they depend on
    1, 2, …         the steps, each up to its share of all affected tenants
    removals        tenants that go away
    core-removals   services that go away, after everybody who called them

Tenants of the steps are ordered by a hash of their name: neither the same
letters nor the oldest customers come first, and yet each tenant is early or
late in every rollout, so that whoever is early can know it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from policies.desired_state import PLATFORM_UNIT
from policies.errors import AdxError
from policies.infrastructure.spec import FleetRules
from policies.services.dependencies import shortest_cycle
from policies.shares import Share, percentage, rounded_up
from workflows.fleet.models import CANARIES, CORE, CORE_REMOVALS, REMOVALS, FleetUnit, Wave

Dependencies = Mapping[str, Collection[str]]

_TENANT = "tenant/"


class WavesImpossible(AdxError):
    """There is no order in which these units could be delivered."""


def plan_waves(units: Iterable[FleetUnit], rules: FleetRules, *, dependencies: Dependencies) -> tuple[Wave, ...]:
    """All ``units`` in waves, none of them empty.

    ``dependencies`` maps the id of a unit to those of the units that it needs;
    ids that are not among ``units`` stay as they are and are no obstacle. An
    approval of a wave that nobody is in is asked for before the next one.
    Raises WavesImpossible for a circle, or when a unit is there twice.
    """
    listed = sorted(units, key=lambda unit: unit.id)
    _check_once(listed)
    staying = [unit.id for unit in listed if unit.action != "remove"]
    going = [unit.id for unit in listed if unit.action == "remove"]
    core = _ordered([id_ for id_ in staying if not _is_tenant(id_)], dependencies)
    tenants = _ordered([id_ for id_ in staying if _is_tenant(id_)], dependencies)
    removals = [*reversed(_ordered(going, dependencies))]
    return (
        *_named(CORE, core),
        *_tenant_waves(tenants, rules, dependencies),
        *_named(REMOVALS, [id_ for id_ in removals if _is_tenant(id_)]),
        *_named(CORE_REMOVALS, [id_ for id_ in removals if not _is_tenant(id_)]),
    )


def waits_for(waves: Sequence[Wave], dependencies: Dependencies) -> dict[str, tuple[str, ...]]:
    """Which units each one must wait for: what it needs, and for what goes away, whoever needed it."""
    staying = {id_ for wave in waves for id_ in wave.units if not _is_removal(wave)}
    going = {id_ for wave in waves for id_ in wave.units if _is_removal(wave)}
    found: dict[str, set[str]] = {}
    for unit in staying | going:
        for needed in _needs(unit, dependencies):
            if unit in staying and needed in staying:
                found.setdefault(unit, set()).add(needed)
            elif unit in going and needed in going:
                found.setdefault(needed, set()).add(unit)
    return {unit: tuple(sorted(others)) for unit, others in sorted(found.items())}


def _tenant_waves(tenants: Sequence[str], rules: FleetRules, dependencies: Dependencies) -> list[Wave]:
    """``tenants`` (each after those that it needs) as canaries and steps."""
    canaries = _with_needed([f"{_TENANT}{name}" for name in rules.canaries], set(tenants), dependencies)
    first = [id_ for id_ in tenants if id_ in canaries]
    rest = [id_ for id_ in tenants if id_ not in canaries]
    parts, reached = [(CANARIES, first)], len(first)
    for number, step in enumerate(_complete(rules.steps), start=1):
        upto = max(reached, rounded_up(step, len(tenants)))
        parts.append((str(number), rest[reached - len(first) : upto - len(first)]))
        reached = upto
    return _with_approvals(parts, {str(wave) for wave in rules.approval_before})


def _with_approvals(parts: Iterable[tuple[str, Sequence[str]]], approved: set[str]) -> list[Wave]:
    """The waves that are not empty; an approval that falls to an empty one is passed on."""
    waves: list[Wave] = []
    is_due = False
    for name, units in parts:
        is_due = is_due or name in approved
        if units:
            waves.append(Wave(name, tuple(units), is_due))
            is_due = False
    return waves


def _complete(steps: Sequence[Share]) -> Sequence[Share]:
    return steps if steps and percentage(steps[-1]) == 100 else (*steps, "100%")


def _with_needed(starts: Sequence[str], known: Collection[str], dependencies: Dependencies) -> set[str]:
    """Those of ``starts`` that are ``known``, with all known ones that they need, directly or not."""
    found: set[str] = set()
    waiting = [id_ for id_ in starts if id_ in known]
    while waiting:
        id_ = waiting.pop()
        if id_ not in found:
            found.add(id_)
            waiting.extend(needed for needed in _needs(id_, dependencies) if needed in known)
    return found


def _ordered(ids: Sequence[str], dependencies: Dependencies) -> list[str]:
    """``ids`` by their hash, except that each comes after those that it needs. Raises WavesImpossible."""
    known = set(ids)
    needs = {id_: {one for one in _needs(id_, dependencies) if one in known} for id_ in ids}
    needed_by: dict[str, list[str]] = {}
    for id_, others in needs.items():
        for one in others:
            needed_by.setdefault(one, []).append(id_)
    ready = [_ranked(id_) for id_, others in needs.items() if not others]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, id_ = heapq.heappop(ready)
        order.append(id_)
        for other in needed_by.get(id_, ()):
            needs[other].discard(id_)
            if not needs[other]:
                heapq.heappush(ready, _ranked(other))
    if len(order) < len(ids):
        raise _circle({id_: tuple(sorted(others)) for id_, others in sorted(needs.items()) if others})
    return order


def _needs(id_: str, dependencies: Dependencies) -> Collection[str]:
    """What ``id_`` needs; a service needs the platform without saying so."""
    declared = dependencies.get(id_, ())
    return declared if _is_tenant(id_) or id_ == PLATFORM_UNIT else {*declared, PLATFORM_UNIT}


def _circle(stuck: Mapping[str, tuple[str, ...]]) -> WavesImpossible:
    """Everybody in ``stuck`` waits for somebody in it: for a circle, or for somebody who waits for one."""
    cycles = [cycle for id_ in stuck if (cycle := shortest_cycle(stuck, id_)) is not None]
    shortest = min(cycles, key=lambda cycle: (len(cycle), cycle))
    return WavesImpossible(
        f"units wait for one another: {' → '.join(shortest)}", next_step="take one of these dependencies out"
    )


def _check_once(units: Sequence[FleetUnit]) -> None:
    twice = sorted({unit.id for unit, following in pairwise(units) if unit.id == following.id})
    if twice:
        raise WavesImpossible(
            f"{', '.join(twice)} would be delivered twice in one rollout",
            next_step="report this as a defect of ADX",
        )


def _named(name: str, units: Sequence[str]) -> tuple[Wave, ...]:
    return (Wave(name, tuple(units)),) if units else ()


def _ranked(id_: str) -> tuple[bytes, str]:
    return hashlib.sha256(id_.encode()).digest(), id_


def _is_tenant(id_: str) -> bool:
    return id_.startswith(_TENANT)


def _is_removal(wave: Wave) -> bool:
    return wave.name in {REMOVALS, CORE_REMOVALS}
