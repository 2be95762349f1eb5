"""What must hold in the source before anything is promoted, and how it stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.promotion.model import Gate
from pipelines.words import counted, duration, moment
from policies.infrastructure.spec import Promotion


@dataclass(frozen=True)
class UnitFacts:
    """What the ledger knows of one unit in the source.

    ``in_place_since`` is when it got into its present state, ``tests_passed``
    whether the tests of the rollout that delivered it did (None: that rollout
    is not in the ledger), ``failed_at`` when a rollout of it last failed or was
    restored, ``checked_at`` when it was last compared with the cluster as it
    is, ``drifted_since`` since when it differs.
    """

    unit: str
    in_place_since: datetime
    delivered_by: str = ""
    tests_passed: bool | None = None
    failed_at: datetime | None = None
    failed_in: str = ""
    checked_at: datetime | None = None
    drifted_since: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """The source at ``now``: its units that are promoted, and whether anything is going on there."""

    source: str
    now: datetime
    units: Sequence[UnitFacts]
    frozen_reason: str = ""
    under_way: str = ""
    tests_declared: int = 0


def gates_of(facts: Facts, rules: Promotion | None) -> tuple[Gate, ...]:
    """Every gate of the target with its answer; two hold for all: the source is neither frozen nor being changed."""
    gates = [_not_frozen(facts), _settled(facts)]
    if rules is None:
        return tuple(gates)
    gates.insert(0, _from(facts, rules))
    if rules.time_in_place_seconds:
        gates.append(_in_place(facts, rules.time_in_place_seconds))
    if rules.no_failure_within_seconds:
        gates.append(_no_failure(facts, rules.no_failure_within_seconds))
    if rules.tests_passed:
        gates.append(_tests_passed(facts))
    if rules.no_drift:
        gates.append(_no_drift(facts))
    return tuple(gates)


def _from(facts: Facts, rules: Promotion) -> Gate:
    is_met = facts.source == rules.from_
    said = f"promoted from {facts.source}" + ("" if is_met else f", declared is {rules.from_}")
    return Gate(name="from", is_met=is_met, said=said)


def _not_frozen(facts: Facts) -> Gate:
    said = f"{facts.source} waits for an operator: {facts.frozen_reason}" if facts.frozen_reason else "not frozen"
    return Gate(name="not frozen", is_met=not facts.frozen_reason, said=said)


def _settled(facts: Facts) -> Gate:
    said = f"{facts.under_way} is under way" if facts.under_way else "no rollout is under way"
    return Gate(name="settled", is_met=not facts.under_way, said=said)


def _in_place(facts: Facts, seconds: int) -> Gate:
    """Met when the youngest unit is old enough, to the second."""
    name, wanted = "time in place", timedelta(seconds=seconds)
    if not facts.units:
        return Gate(name=name, is_met=True, said="nothing to wait for")
    youngest = max(facts.units, key=lambda unit: (unit.in_place_since, unit.unit))
    in_place = facts.now - youngest.in_place_since
    said = f"{youngest.unit} in place for {_shown(in_place)}, {_shown(wanted)} wanted"
    return Gate(
        name=name,
        is_met=in_place >= wanted,
        said=said,
        met_at=None if in_place >= wanted else youngest.in_place_since + wanted,
    )


def _no_failure(facts: Facts, seconds: int) -> Gate:
    name, wanted = "no failure", timedelta(seconds=seconds)
    failed = [(unit.failed_at, unit) for unit in facts.units if unit.failed_at is not None]
    if not failed:
        return Gate(name=name, is_met=True, said=f"none within {_shown(wanted)}")
    at, unit = max(failed, key=lambda one: (one[0], one[1].unit))
    is_met = facts.now - at >= wanted
    said = f"{unit.unit} failed or was restored at {moment(at)} ({unit.failed_in}), none wanted within {_shown(wanted)}"
    return Gate(name=name, is_met=is_met, said=said, met_at=None if is_met else at + wanted)


def _tests_passed(facts: Facts) -> Gate:
    name = "tests passed"
    if not facts.tests_declared:
        return Gate(name=name, is_met=False, said=f"{facts.source} declares no post-deployment tests")
    untested = [unit for unit in facts.units if not unit.tests_passed]
    if not untested:
        said = f"{counted(facts.tests_declared, 'test')} passed after the delivery of {_named(facts.units)}"
        return Gate(name=name, is_met=True, said=said)
    known = [unit for unit in untested if unit.delivered_by]
    where = f" ({known[0].delivered_by})" if known else ": the ledger has no delivery of it"
    return Gate(name=name, is_met=False, said=f"not known to have passed for {_named(untested)}{where}")


def _no_drift(facts: Facts) -> Gate:
    name = "no drift"
    drifted = [unit for unit in facts.units if unit.drifted_since is not None]
    if drifted:
        said = f"{_named(drifted)} differs from what was delivered since {moment(drifted[0].drifted_since)}"
        return Gate(name=name, is_met=False, said=said)
    unchecked = [unit for unit in facts.units if unit.checked_at is None or unit.checked_at < unit.in_place_since]
    if unchecked:
        said = f"{_named(unchecked)} was not compared with the cluster since its delivery"
        following = "the next scheduled check decides; see `adx drift --last`"
        return Gate(name=name, is_met=False, said=f"{said}: {following}")
    return Gate(name=name, is_met=True, said=f"none found in {_named(facts.units)}")


def _named(units: Iterable[UnitFacts]) -> str:
    names = sorted(unit.unit for unit in units)
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return ", ".join(names) or "nothing"


def _shown(span: timedelta) -> str:
    seconds = span.total_seconds()
    days = int(seconds // 86400)
    return f"{days} d {int(seconds % 86400 // 3600)} h" if days else duration(seconds)
