"""What follows from a check: which units are healed, which not and why, and what is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from policies.desired_state import DesiredState
from policies.infrastructure.spec import DriftRules, EnvironmentSpec
from policies.listing import first_of
from workflows.drift.findings import DriftedObject
from workflows.drift.healing import HealPlan
from workflows.fleet.calendar import hold_until
from workflows.ledger.drift import UnitDrift, UnitSeen
from workflows.ledger.models import Environment, JsonObject, Quarantined

SHORTEST_CALM = timedelta(hours=1)
CHECKS_UNTIL_CALM = 10
FIELDS_KEPT = 20
OBJECTS_KEPT = 20


@dataclass(frozen=True)
class Verdict:
    """``to_heal`` are units to be put back; ``given_up`` drift again and again; ``why_not`` is for a person."""

    to_heal: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    why_not: str = ""


def verdict(
    plan: HealPlan, known: Iterable[UnitDrift], rules: EnvironmentSpec, *, hindrance: str, desired: DesiredState
) -> Verdict:
    """Which units of ``plan`` are healed. ``hindrance`` (see ``hindrance``) keeps all from it."""
    if rules.drift is None or rules.drift.heal == "never":
        return Verdict()
    tired = _tired(known, rules.drift, desired)
    given_up = [unit for unit in plan.units if unit in tired]
    reasons = [hindrance] if hindrance else []
    if given_up:
        times = rules.drift.give_up_after
        reasons.append(f"healed {times} time(s) in a row and drifted again: {_named(given_up)}")
    reasons += plan.left[:OBJECTS_KEPT]
    to_heal = () if hindrance else tuple(unit for unit in plan.units if unit not in given_up)
    return Verdict(to_heal, tuple(given_up), "; ".join(reasons))


def hindrance(known: Environment, quarantined: Quarantined | None, rules: EnvironmentSpec, now: datetime) -> str:
    """Why nothing of the environment may be healed at ``now`` (aware); empty where it may."""
    if known.frozen_reason:
        return f"the environment is frozen: {known.frozen_reason}"
    if quarantined is not None:
        return f"what is delivered is quarantined: {quarantined.reason}"
    hold = hold_until(now, rules.freezes, rules.windows)
    return hold.why if hold is not None else ""


def calm_after(rules: DriftRules) -> timedelta:
    """How long a healed unit must stay as delivered until it counts as calm."""
    return max(SHORTEST_CALM, CHECKS_UNTIL_CALM * timedelta(seconds=rules.check_every_seconds))


def units_seen(desired: DesiredState, objects: Sequence[DriftedObject]) -> list[UnitSeen]:
    """Every unit of ``desired`` with what has drifted of it, without values."""
    by_unit = _by_unit(objects)
    return [
        UnitSeen(unit=unit.id, digest=unit.digest, commit=unit.commit, objects=tuple(by_unit.get(unit.id, ())))
        for unit in desired.units
    ]


def kept(one: DriftedObject) -> JsonObject:
    """What is kept of a drifted object: which, how, and which fields who has set; never their values."""
    return {
        "kind": one.kind,
        "name": one.name,
        "namespace": one.namespace,
        "state": one.state,
        "fields": [{"path": field.path, "by": field.by} for field in one.fields[:FIELDS_KEPT]],
    }


def strays(objects: Iterable[DriftedObject]) -> tuple[JsonObject, ...]:
    """What is kept of the objects of no unit."""
    return tuple(kept(one) for one in objects if one.state == "stray")[:OBJECTS_KEPT]


def _by_unit(objects: Sequence[DriftedObject]) -> Mapping[str, list[JsonObject]]:
    chosen = sorted((one for one in objects if one.state != "stray"), key=lambda one: one.unit)
    return {
        unit: [kept(one) for one in some][:OBJECTS_KEPT] for unit, some in groupby(chosen, key=lambda one: one.unit)
    }


def _tired(known: Iterable[UnitDrift], rules: DriftRules, desired: DesiredState) -> Collection[str]:
    """Units that were healed so often, as they are declared now, that it is no use."""
    units = desired.by_id()
    return {
        one.unit
        for one in known
        if one.heals >= rules.give_up_after and one.unit in units and units[one.unit].digest == one.digest
    }


def _named(units: Sequence[str]) -> str:
    return first_of(units, 3)
