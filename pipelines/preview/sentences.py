"""What a report comes to, in plain words. Pure; shared by all formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal

from infra.engine.plan import Action
from pipelines.preview.migration_words import migrates_words
from pipelines.preview.report import Disruption, EnvironmentReport, Report, ResourceRow, Verdict
from pipelines.screens.common import counted
from policies.change_set import FieldChange

UnitAction = Literal["add", "change", "remove"]
_TITLES: dict[Verdict, str] = {
    "ok": "✅ nothing speaks against it",
    "blocked": "⛔ blocked",
    "unchecked": "⚠️ not fully checked",
}
_VERBS: dict[Action, str] = {"delete": "deletes", "replace": "replaces", "update": "updates", "create": "creates"}
ACTIONS = tuple(_VERBS)
_PROBE_FIELD = re.compile(r"service\.probes\.(readiness|liveness|startup)\.")
_PROBE_PORT = re.compile(_PROBE_FIELD.pattern + "port")
_UNIT_VERBS: dict[UnitAction, str] = {"remove": "removes", "change": "changes", "add": "adds"}


def verdict_sentence(report: Report) -> str:
    """One sentence: what blocks, what was not checked, what would happen to what exists. Without names from outside."""
    parts = [*_obstacles(report), *_happens(report)]
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _obstacles(report: Report) -> list[str]:
    problems = sum(len(one.problems) for one in report.environments)
    blocking = sum(finding.is_blocking for one in report.environments for finding in one.findings)
    unsafe = sum(one.blocking for one in report.environments) - blocking
    unchecked = sum(1 for one in report.environments if one.unchecked)
    found = [counted(problems, "problem")] if problems else []
    found += [counted(blocking, "policy finding")] if blocking else []
    found += [counted(unsafe, "unsafe database statement")] if unsafe else []
    blocked = [f"blocked by {' and '.join(found)}"] if found else []
    return blocked + ([f"{counted(unchecked, 'environment')} could not be checked whole"] if unchecked else [])


def _happens(report: Report) -> list[str]:
    rows = [row for one in report.environments for row in one.resources]
    ours = Counter(row.action for row in rows if not row.is_pending)
    parts = [_effects_of([row for row in rows if not row.is_pending])] if ours else _without_objects(report)
    if any(row.is_pending for row in rows):
        earlier = _effects_of([row for row in rows if row.is_pending])
        parts.append(f"what was merged earlier comes along: {earlier}")
    parts += migrates_words(report.environments)
    if not ours and not any(one.units or one.rules for one in report.environments):
        return parts
    return parts + disruption_words([one for env in report.environments for one in env.disruptions])


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
    units = Counter(row.action for one in report.environments for row in one.units)
    if units:
        is_unplanned = any(one.units and not one.digest for one in report.environments)
        what = "; no plan says what becomes of the objects" if is_unplanned else ", no object differs"
        listed = ", ".join(
            f"{verb} {counted(units[action], 'unit')}" for action, verb in _UNIT_VERBS.items() if units[action]
        )
        return [f"{listed}{what}"]
    if any(one.rules for one in report.environments):
        return ["changes only the rules of delivery"]
    return ["nothing changes"]


def disruption_words(found: Sequence[Disruption]) -> list[str]:
    """``4 pods restart, no downtime expected``; nothing where nothing was judged."""
    if not found:
        return []
    pods = sum(one.pods_restarted for one in found)
    volumes = sum(one.volumes_replaced for one in found)
    words = [f"{counted(pods, 'pod')} restart{'s' if pods == 1 else ''}"] if pods else []
    words += [f"{counted(volumes, 'volume')} replaced with all data"] if volumes else []
    return [", ".join([*words, _downtime(found)])]


def _downtime(found: Sequence[Disruption]) -> str:
    downtimes = {one.downtime for one in found}
    if "certain" in downtimes:
        units = sum(one.downtime == "certain" for one in found)
        return f"downtime of {counted(units, 'unit')} is certain"
    return "downtime is possible" if "possible" in downtimes else "no downtime expected"


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


def told_fields(fields: Sequence[FieldChange]) -> list[FieldChange | str]:
    """``fields`` in their order; a probe that comes or goes is told in words, once for all its fields."""
    whole = {match[1]: field for field in fields if (match := _PROBE_PORT.fullmatch(field.path)) and _is_whole(field)}
    told: list[FieldChange | str] = []
    for field in fields:
        match = _PROBE_FIELD.match(field.path)
        probe = match[1] if match is not None else ""
        if probe not in whole:
            told.append(field)
        elif whole[probe] is field:
            told.append(f"{probe} probe {'removed' if field.after is None else 'added'}")
    return told


def _is_whole(port: FieldChange) -> bool:
    """A probe always has a port: where none was, or none is left, there was or is no probe."""
    return port.before is None or port.after is None


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
