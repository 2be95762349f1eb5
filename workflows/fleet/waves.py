"""Which unit is delivered in which wave. Pure; the same whatever order the units come in.

::

    canaries        tenants that are declared so
    1, 2, …         the steps, each up to its share of all affected tenants
    removals        tenants that go away
    core-removals   services that go away, after everybody who called them

Platform and services that stay, the core, are delivered as one before a fleet begins.
Tenants of the steps are ordered by a hash of their name: neither the same
letters nor the oldest customers come first, and yet each tenant is early or
late in every rollout, so that whoever is early can know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from policies.errors import AdxError
from policies.infrastructure.spec import FleetRules
from policies.shares import Share, percentage, rounded_up
from workflows.fleet.models import CANARIES, CORE_REMOVALS, REMOVALS, FleetUnit, Wave

_TENANT = "tenant/"


class WavesImpossible(AdxError):
    """These units cannot be delivered in waves."""


def plan_waves(units: Iterable[FleetUnit], rules: FleetRules) -> tuple[Wave, ...]:
    """All ``units`` in waves, none of them empty.

    An approval of a wave that nobody is in is asked for before the next one.
    Raises WavesImpossible when a unit is there twice, or belongs before the
    waves: platform and services that stay.
    """
    listed = sorted(units, key=lambda unit: _ranked(unit.id))
    _check(listed)
    tenants = [unit.id for unit in listed if _is_tenant(unit.id) and unit.action != "remove"]
    going = [unit.id for unit in listed if unit.action == "remove"]
    return (
        *_tenant_waves(tenants, rules),
        *_named(REMOVALS, [id_ for id_ in going if _is_tenant(id_)]),
        *_named(CORE_REMOVALS, [id_ for id_ in going if not _is_tenant(id_)]),
    )


def _tenant_waves(tenants: Sequence[str], rules: FleetRules) -> list[Wave]:
    """``tenants`` as canaries and steps."""
    canaries = {f"{_TENANT}{name}" for name in rules.canaries}
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


def _check(units: Sequence[FleetUnit]) -> None:
    twice = sorted({unit.id for unit, following in pairwise(units) if unit.id == following.id})
    early = sorted(unit.id for unit in units if unit.action != "remove" and not _is_tenant(unit.id))
    if twice or early:
        why = "would be delivered twice in one rollout" if twice else "belongs before the waves, not into one"
        raise WavesImpossible(f"{', '.join(twice or early)} {why}", next_step="report this as a defect of ADX")


def _named(name: str, units: Sequence[str]) -> tuple[Wave, ...]:
    return (Wave(name, tuple(units)),) if units else ()


def _ranked(id_: str) -> tuple[bytes, str]:
    return hashlib.sha256(id_.encode()).digest(), id_


def _is_tenant(id_: str) -> bool:
    return id_.startswith(_TENANT)
