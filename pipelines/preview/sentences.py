"""What a report comes to, in plain words. Pure; shared by all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal

from infra.engine.plan import Action
from pipelines.preview.disruption import NAMESPACE_GOES, QUIET
from pipelines.preview.fields import changed_flags
from pipelines.preview.migrations.words import migrates_words
from pipelines.preview.report import (
    Disruption,
    EnvironmentReport,
    Report,
    ResourceRow,
    Reverted,
    TenantEffect,
    UnitRow,
    Verdict,
)
from pipelines.words import counted
from policies.errors import Problem

UnitAction = Literal["add", "change", "remove"]
_TITLES: dict[Verdict, str] = {
    "ok": "✅ nothing speaks against it",
    "blocked": "⛔ blocked",
    "unchecked": "⚠️ not fully checked",
}
_VERBS: dict[Action, str] = {"delete": "deletes", "replace": "replaces", "update": "updates", "create": "creates"}
ACTIONS = tuple(_VERBS)
MOST_WAYS = 2  # in which tenants use what changes, each told by itself
_KINDS = ("platform", "flag", "service", "tenant")
_OF_DATABASES = ("migrates", "makes", "loses")
_UNIT_VERBS: dict[UnitAction, str] = {"remove": "removes", "change": "changes", "add": "adds"}
_ALL_VERBS = frozenset({*_VERBS.values(), *_UNIT_VERBS.values(), *_OF_DATABASES})


def verdict_sentence(report: Report, where: str = "") -> str:
    """One sentence: what blocks, what was not checked, what would happen to what exists. Without names from outside.

    ``where`` is put before it (``In staging``), fit to be shown.
    """
    parts = [*_obstacles(report), *_happens(report)]
    sentence = "; ".join(parts)
    return f"{where}: {sentence}." if where else f"{sentence[0].upper()}{sentence[1:]}."


def _obstacles(report: Report) -> list[str]:
    problems = len(problems_of(report))
    blocking = sum(finding.is_blocking for one in report.environments for finding in one.findings)
    unsafe = sum(one.blocking for one in report.environments) - blocking
    unchecked = sum(1 for one in report.environments if one.unchecked)
    found = [counted(problems, "problem")] if problems else []
    found += [counted(blocking, "policy finding")] if blocking else []
    found += [counted(unsafe, "unsafe database statement")] if unsafe else []
    blocked = [f"blocked by {' and '.join(found)}"] if found else []
    whole = "" if len(report.environments) == 1 else f"{counted(unchecked, 'environment')} "
    return blocked + ([f"{whole}could not be checked whole"] if unchecked else [])


def _happens(report: Report) -> list[str]:
    rows = [row for one in report.environments for row in one.resources]
    ours = [row for row in rows if not row.is_pending]
    units = _units_of(report)
    parts = _changes(ours, units) or _without_units(report)
    if units and not ours:
        parts += _without_objects(report)
    if any(row.is_pending for row in rows):
        earlier = _effects_of([row for row in rows if row.is_pending])
        parts.append(f"what was merged earlier comes along: {earlier}")
    parts += migrates_words(report.environments)
    if report.verdict == "blocked" and parts and parts[0].partition(" ")[0] in _ALL_VERBS:
        subject = "the plan" if any(one.digest for one in report.environments) else "the merge"
        parts[0] = f"{subject} {parts[0]}"
    if not ours and not any(one.units or one.rules for one in report.environments):
        return parts
    return parts + disruption_words(
        [one for env in report.environments for one in env.disruptions], is_blocked=report.verdict == "blocked"
    )


def _changes(ours: Sequence[ResourceRow], units: str) -> list[str]:
    """What goes of what exists, then what people declare; objects that only come or change are no news beside units."""
    lost = _effects_of([row for row in ours if row.is_dangerous])
    told = units or _effects_of([row for row in ours if not row.is_dangerous])
    return [", ".join(words for words in (lost, told) if words)] if lost or told else []


def declared(report: EnvironmentReport) -> list[UnitRow]:
    """The units that change, without those that only get another version of their database: that is told with it."""
    return [row for row in report.units if not (report.migrations and _is_of_database(row))]


def _is_of_database(row: UnitRow) -> bool:
    return bool(row.fields) and all(field.path.startswith("migrations") for field in row.fields)


def _units_of(report: Report) -> str:
    """``removes 1 tenant, changes the platform and 2 services``; empty where none is to be told of."""
    counts = Counter[tuple[UnitAction, str]]()
    for row in (row for one in report.environments for row in declared(one)):
        flags = changed_flags(row)
        counts[row.action, "flag" if flags else row.unit.partition("/")[0]] += len(flags) or 1
    parts = []
    for action, verb in _UNIT_VERBS.items():
        named = _named_kinds({kind: counts[action, kind] for kind in _KINDS})
        parts += [f"{verb} {named}"] if named else []
    return ", ".join(parts)


def _named_kinds(counts: Mapping[str, int]) -> str:
    """``the platform and 2 services``; empty for nothing."""
    found = [(kind, counts.get(kind, 0)) for kind in _KINDS]
    named = ["the platform" if one == ("platform", 1) else counted(one[1], one[0]) for one in found if one[1]]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _effects_of(rows: Sequence[ResourceRow]) -> str:
    """``deletes 6 objects (among them 1 namespace with everything in it), creates 6``."""
    lost = Counter(row.kind for row in rows if row.is_dangerous and holds_data(row))
    namespaces, volumes = lost.pop("Namespace", 0), sum(lost.values())
    parts = [f"{counted(namespaces, 'namespace')} with everything in {_them(namespaces)}"] if namespaces else []
    parts += [f"{counted(volumes, 'volume')} with the data"] if volumes else []
    goes = effects(Counter(row.action for row in rows if row.is_dangerous))
    comes = effects(Counter(row.action for row in rows if not row.is_dangerous), noun="" if goes else "object")
    among = f" (among them {' and '.join(parts)})" if parts else ""
    return ", ".join(words for words in (f"{goes}{among}", comes) if words)


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def title(report: Report) -> str:
    """The verdict in a few words, with its mark."""
    if report.verdict != "ok":
        return _TITLES[report.verdict]
    rows = [row for one in report.environments for row in one.resources]
    if any(row.is_dangerous for row in rows):
        return f"⚠️ {' or '.join(verbs_of_danger(rows))} what exists"
    if any(one.losses for one in report.environments):
        return "⚠️ changes databases in a way that is not undone by scripts"
    return _TITLES["ok"] if len(unaffected(report)) < len(report.environments) else "✅ nothing changes"


def verbs_of_danger(rows: Iterable[ResourceRow]) -> list[str]:
    """``deletes``, ``replaces`` or both, as it happens to ``rows``."""
    actions = {row.action for row in rows if row.is_dangerous}
    return [verb for action, verb in _VERBS.items() if action in actions]


def effects(counts: Mapping[Action, int], noun: str = "object") -> str:
    """``deletes 7 objects, updates 1``: deletions first; empty for nothing."""
    found = [(verb, counts[action]) for action, verb in _VERBS.items() if counts.get(action)]
    words = [f"{verb} {count:,}" for verb, count in found]
    if words and noun:
        words[0] = f"{found[0][0]} {counted(found[0][1], noun)}"
    return ", ".join(words)


def _without_objects(report: Report) -> list[str]:
    is_unplanned = any(one.units and not one.digest for one in report.environments)
    return ["no plan says what becomes of the objects" if is_unplanned else "no object in the cluster differs"]


def _without_units(report: Report) -> list[str]:
    if any(one.migrations for one in report.environments):
        return []
    return [
        "changes only the rules of delivery" if any(one.rules for one in report.environments) else "nothing changes"
    ]


def disruption_words(found: Sequence[Disruption], *, is_blocked: bool = False) -> list[str]:
    """``4 pods restart, no downtime expected``; nothing where nothing was judged, or nothing bad of what is blocked."""
    if not found or (is_blocked and all(one.downtime == "none" for one in found)):
        return []
    pods = sum(one.pods_restarted for one in found)
    volumes = sum(one.volumes_replaced for one in found)
    words = [f"{counted(pods, 'pod')} restart{'s' if pods == 1 else ''}"] if pods else []
    words += [f"{counted(volumes, 'volume')} replaced with all data"] if volumes else []
    return [", ".join([*words, _downtime(found)])]


def _downtime(found: Sequence[Disruption]) -> str:
    downtimes = {one.downtime for one in found}
    if "certain" in downtimes:
        kinds = Counter(one.unit.partition("/")[0] for one in found if one.downtime == "certain")
        return f"downtime of {_named_kinds(kinds) or counted(kinds.total(), 'unit')} is certain"
    return "downtime is possible" if "possible" in downtimes else "no downtime expected"


def is_noticed(found: Disruption) -> bool:
    """Whether there is more to tell than that nothing is disrupted, or than what is deleted."""
    if found.why == NAMESPACE_GOES:
        return False
    return found.downtime != "none" or bool(found.pods_restarted or found.volumes_replaced) or found.why not in QUIET


def revert_words(found: Reverted) -> str:
    """What is really taken back of a commit; its name and subject are told beside it."""
    if not found.is_compared:
        return "what it declared can no longer be read, so nobody compared"
    if not found.changes:
        return "which declared nothing"
    beside = f", and changes {counted(found.beside, 'other field')}" if found.beside else ", and changes nothing else"
    if found.taken_back == found.changes:
        return f"takes back {_all(found.changes)} that it changed{beside}"
    return f"takes back {found.taken_back:,} of {counted(found.changes, 'field')} that it changed{beside}"


def _all(fields: int) -> str:
    return "the field" if fields == 1 else f"all {fields:,} fields"


def object_name(row: ResourceRow) -> str:
    """``Deployment/cart``."""
    return f"{row.kind}/{row.name}"


def dangerous(report: EnvironmentReport) -> list[tuple[ResourceRow, ...]]:
    """What would be deleted or replaced, by unit and action: what takes others with it first."""
    rows = sorted((row for row in report.resources if row.is_dangerous), key=_group)
    groups = [tuple(group) for _, group in groupby(rows, key=_group)]
    return sorted(groups, key=lambda group: (not any(map(holds_data, group)), group[0].action, _group(group[0])))


def _group(row: ResourceRow) -> tuple[str, str, bool]:
    return row.unit, row.action, row.is_pending


def holds_data(row: ResourceRow) -> bool:
    """Whether more than the object itself is lost with it."""
    return row.kind in ("Namespace", "PersistentVolumeClaim", "StatefulSet")


def lost_beside(group: Sequence[ResourceRow]) -> list[ResourceRow]:
    """``group`` (what one unit loses), data first, without what goes with a namespace that goes whole."""
    gone = {row.name for row in group if row.kind == "Namespace"}
    rows = [row for row in group if holds_data(row) or row.namespace not in gone]
    return sorted(rows, key=lambda row: not holds_data(row))


def problems_of(report: Report) -> dict[Problem, list[str]]:
    """Each problem with the environments that have it."""
    found: dict[Problem, list[str]] = {}
    for one in report.environments:
        for problem in one.problems:
            found.setdefault(problem, []).append(one.environment)
    return found


def using(effects_: Iterable[TenantEffect]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Tenants that use what changes, by the services; as one without services where that makes too many lines."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for one in effects_:
        if not one.is_direct:
            alike.setdefault(one.through, []).append(one.tenant)
    if len(alike) <= MOST_WAYS:
        return sorted(alike.items())
    return [((), sorted(name for names in alike.values() for name in names))]


def unaffected(report: Report) -> list[str]:
    """Names of the environments in which nothing happens and nothing is wrong."""
    return [one.environment for one in report.environments if is_quiet(one)]


def is_quiet(report: EnvironmentReport) -> bool:
    """Whether there is nothing to tell of the environment."""
    return not (
        report.units
        or report.rules
        or report.resources
        or report.migrations
        or report.problems
        or report.findings
        or report.unchecked
        or report.pending_units
    )


def place(file: str, line: int, column: int) -> str:
    """``file:line:column``, or the file alone where it is meant as a whole."""
    return f"{file}:{line}:{column}" if line else file
