"""How a rollout would reach its tenants: the waves as the fleet itself works them out. Pure.

Which unit is in which wave is asked of the code that rollouts use
(``workflows.fleet.waves``), so that a preview and a rollout cannot disagree.
Only :func:`holds_now` reads something beside its arguments: the time zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pipelines.preview.report import FleetOutline, Holds, WaveOutline
from pipelines.words import counted, duration
from policies.change_set import ChangeSet, diff
from policies.desired_state import DesiredState
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Window
from workflows.fleet.budget import allowed_failures
from workflows.fleet.calendar import hold_until, read_calendar
from workflows.fleet.models import CORE, CORE_REMOVALS, REMOVALS, FleetUnit, Wave
from workflows.fleet.waves import plan_waves
from workflows.rollout.plan import core_changes, is_fleet

# How far ahead a reviewer is told of freezes: a merge is mostly delivered the same week.
AHEAD = timedelta(days=14)
MOST_FREEZES = 3
_ALL = "100%"
_BEYOND = {
    "stop": "it stops",
    "restore_wave": "the current wave is restored",
    "restore_all": "everything that it delivered is restored",
}


def fleet_outline(
    before: DesiredState | None, after: DesiredState | None, rules: EnvironmentSpec | None, holds: Holds
) -> FleetOutline | None:
    """The waves from ``before`` (what is delivered) to ``after``; None where no tenant is delivered in waves."""
    if after is None or rules is None or not is_fleet(rules):
        return None
    changes = diff(before, after)
    fleet = rules.rollout.fleet or FleetRules()
    core = core_changes(changes)
    waves = _planned(changes, fleet, core)
    if not waves:
        return None
    total = sum(len(wave.units) for wave in waves)
    first = (WaveOutline(name=CORE, units=tuple(core)),) if core else ()
    return FleetOutline(
        waves=(*first, *(_outline(wave, fleet) for wave in waves)),
        total=total,
        allowed_failures=allowed_failures(fleet.failure_budget, total),
        beyond_budget=fleet.beyond_budget,
        bake_seconds=fleet.bake_seconds,
        gates=tuple(gate.name for gate in fleet.gates),
        approvers=fleet.approvers,
        max_parallel=fleet.max_parallel,
        holds=holds,
    )


def holds_now(rules: EnvironmentSpec | None, now: datetime) -> Holds:
    """What keeps a rollout from starting units at ``now`` (aware), and soon. Raises CalendarUnreadable."""
    if rules is None or not (rules.freezes or rules.windows):
        return Holds()
    hold = hold_until(now, rules.freezes, rules.windows)
    frozen = read_calendar(now, rules.freezes, (), horizon=AHEAD).closed
    coming = [one.why for one in frozen if one.begins_at > now.timestamp()]
    return Holds(
        now=hold.why if hold is not None else "",
        coming=tuple(coming[:MOST_FREEZES]),
        windows=tuple(map(_window_words, rules.windows)),
    )


def wave_title(wave: WaveOutline) -> str:
    """``canaries``, ``2 (up to 25%)``."""
    if not wave.upto:
        return wave.name
    return f"{wave.name} (all)" if wave.upto == _ALL else f"{wave.name} (up to {wave.upto})"


def wave_words(wave: WaveOutline) -> str:
    """How many units of which kind, and what is special about them: ``3 tenants``."""
    kinds = [unit.partition("/")[0] for unit in wave.units]
    counts = [(kinds.count(kind), kind) for kind in ("platform", "service", "tenant")]
    words = [kind if kind == "platform" else counted(count, kind) for count, kind in counts if count]
    special = (
        ", delivered as one"
        if wave.name == CORE
        else ", to be removed"
        if wave.name in (REMOVALS, CORE_REMOVALS)
        else ""
    )
    return " and ".join(words) + special


def rule_words(outline: FleetOutline) -> Iterator[str]:
    """What holds for every wave, each in a few words; without names from outside, gates apart."""
    if outline.gates:
        proof = [f"gates {', '.join(outline.gates)}"]
        proof += [f"{_bake(outline)} of bake", "the gates again"] if outline.bake_seconds else []
        yield f"after each wave: {', then '.join(proof)}"
    elif outline.bake_seconds:
        yield f"between waves: {_bake(outline)} of bake"
    yield _failures(outline)
    if outline.total > outline.max_parallel:
        yield f"at most {outline.max_parallel:,} at once"


def _bake(outline: FleetOutline) -> str:
    minutes, seconds = divmod(outline.bake_seconds, 60)
    return duration(outline.bake_seconds) if seconds or minutes >= 60 else f"{minutes} min"


def _failures(outline: FleetOutline) -> str:
    units, beyond = counted(outline.total, "unit"), _BEYOND[outline.beyond_budget]
    if not outline.allowed_failures:
        return f"none of {units} may fail; if one does, {beyond}"
    if outline.allowed_failures >= outline.total:
        return "any unit may fail, each restored alone"
    return f"{outline.allowed_failures:,} of {units} may fail, each restored alone; beyond that {beyond}"


def _planned(changes: ChangeSet, fleet: FleetRules, core: list[str]) -> tuple[Wave, ...]:
    first = set(core)
    units = [FleetUnit(one.unit, one.action) for one in changes.changes if one.unit not in first]
    return plan_waves(units, fleet)


def _outline(wave: Wave, fleet: FleetRules) -> WaveOutline:
    """A step carries the share that it is declared with; the last one reaches everybody."""
    number = int(wave.name) if wave.name.isdecimal() else 0
    steps = [str(step) for step in fleet.steps]
    upto = (steps[number - 1] if number <= len(steps) else _ALL) if number else ""
    return WaveOutline(name=wave.name, units=wave.units, upto=upto, needs_approval=wave.needs_approval)


def _window_words(window: Window) -> str:
    return f"{', '.join(window.days)} {window.from_}–{window.until} in {window.time_zone}"
