"""The parts of the Markdown report that say what comes of the change. Pure.

Units of which the same is to be told are told as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from infra.engine.plan import Action
from pipelines.preview.escaping import code, codes, prose
from pipelines.preview.fields import told_fields
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, change_words, folded, section
from pipelines.preview.report import Disruption, EnvironmentReport, Report, UnitRow
from pipelines.preview.sentences import ACTIONS, declared, effects, is_noticed, using
from pipelines.words import counted

_DOWNTIME = {"certain": "**downtime**", "possible": "**downtime possible**", "none": "no downtime"}
_CHANGED = {"add": " is new", "change": "", "remove": " **is removed**"}


def plans_section(report: Report) -> Section:
    """What each plan starts from, its digest, and how many objects of each system; earlier merges are not counted."""
    counts: dict[tuple[str, str], Counter[Action]] = {}
    for one in report.environments:
        for row in one.resources:
            if not row.is_pending:
                counts.setdefault((one.environment, row.system), Counter())[row.action] += 1
    lines = [*map(_plan_line, report.environments)]
    if counts:
        lines += ["\n| environment | system | delete | replace | update | create |\n|---|---|--:|--:|--:|--:|\n"]
    lines += [_count_line(name, system, counts[name, system]) for name, system in sorted(counts)]
    return folded("plans", (Item(line, "The plan in numbers") for line in lines), len(lines), "lines about plans")


def _count_line(environment: str, system: str, counts: Mapping[Action, int]) -> str:
    cells = (f"{counts[one]:,}" if counts.get(one) else "" for one in ACTIONS)
    marked = (f"**{cell}**" if cell and one in ACTIONS[:2] else cell for one, cell in zip(ACTIONS, cells, strict=True))
    return f"| {code(environment)} | {code(system)} | {' | '.join(marked)} |\n"


def declarations_section(report: Report, room: Room) -> Section:
    """What people wrote; units that change alike are told as one."""
    alike: dict[tuple[object, ...], list[UnitRow]] = {}
    for one in report.environments:
        for row in declared(one):
            file = "" if row.unit.startswith("tenant/") else row.file
            alike.setdefault((one.environment, row.action, row.fields, file), []).append(row)
    items = (_declaration_item(str(key[0]), rows, room) for key, rows in alike.items())
    total = sum(map(len, alike.values()))
    return section("declarations", "What changes", items, total, "units")


def _declaration_item(environment: str, rows: Sequence[UnitRow], room: Room) -> Item:
    first = rows[0]
    units = codes([row.unit for row in rows], room.names)
    changes = told_fields(first.fields)
    fields = ", ".join(one if isinstance(one, str) else change_words(one) for one in changes[: room.fields])
    more = len(changes) - room.fields
    told = f": {fields}{f' and {more:,} more' if more > 0 else ''}" if fields else ""
    return Item(f"- {code(environment)} {units}{_CHANGED[first.action]}{told}\n", weight=len(rows))


def disruption_section(report: Report, room: Room) -> Section:
    """One line for units of which the same is expected; the worst first. Units that notice nothing are not told of."""
    alike: dict[tuple[object, ...], list[str]] = {}
    examples: dict[tuple[object, ...], Disruption] = {}
    for one in report.environments:
        for found in filter(is_noticed, one.disruptions):
            key = (one.environment, found.downtime, found.pods_restarted, found.volumes_replaced, found.why)
            alike.setdefault(key, []).append(found.unit)
            examples[key] = found
    order = sorted(alike, key=lambda key: (list(_DOWNTIME).index(str(key[1])), not key[2], str(key[0])))
    items = (_disruption_item(str(key[0]), examples[key], alike[key], room) for key in order)
    total = sum(len(units) for units in alike.values())
    return section("disruption", "Estimated disruption", items, total, "units' estimates")


def _disruption_item(environment: str, found: Disruption, units: Sequence[str], room: Room) -> Item:
    volumes = f"{counted(found.volumes_replaced, 'volume')} replaced; " if found.volumes_replaced else ""
    each = "each: " if len(units) > 1 and found.pods_restarted else ""
    why = f"{volumes}{each}{prose(found.why)}"
    text = f"- {code(environment)} {codes(units, room.names)} {_DOWNTIME[found.downtime]}: {why}\n"
    return Item(text, weight=len(units))


def tenants_section(report: Report, room: Room) -> Section:
    """Who would notice though nobody changed their declaration, and by what."""
    items: list[Item] = []
    for one in report.environments:
        for through, names in using(one.tenants):
            who = f"{counted(len(names), 'tenant')} use{'s' if len(names) == 1 else ''}"
            what = codes(through, room.names) if through else "one or more of the services"
            items.append(
                Item(f"- {code(one.environment)} {who} {what}: {codes(names, room.names)}\n", weight=len(names))
            )
    title = "Tenants that use what changes"
    return section("tenants", title, items, sum(item.weight for item in items))


def pending_section(report: Report, room: Room) -> Section:
    """What a delivery would bring along."""
    items = []
    for one in report.environments:
        rows = Counter(row.action for row in one.resources if row.is_pending)
        if one.pending_units or rows:
            units = codes(one.pending_units, room.names) if one.pending_units else "no unit"
            what = f": {effects(rows)}" if rows else ""
            items.append(Item(f"- {code(one.environment)} {units}{what}\n", weight=len(one.pending_units) or 1))
    title = "Delivered along with it: merged earlier, not delivered yet"
    return section("pending", title, items, sum(item.weight for item in items), "units that wait")


def notes_section(report: Report) -> Section:
    """What to know beside."""
    noted = [*report.notes, *(f"{one.environment}: {note}" for one in report.environments for note in one.notes)]
    return section("notes", "To know", (Item(f"- {prose(note)}\n") for note in noted), len(noted))


def _plan_line(report: EnvironmentReport) -> str:
    facts = [f"delivered now {code(report.delivered_commit[:12])}"] if report.delivered_commit else []
    if not facts and not report.unchecked:
        facts.append("nothing is delivered yet")
    if report.digest:
        facts.append(f"plan {code(report.digest[:16])}, to which a rollout can be held")
    facts += [f"{counted(report.unchanged, 'object')} unchanged"] if report.unchanged else []
    if report.relabelled:
        gets = "gets" if report.relabelled == 1 else "get"
        facts.append(f"{counted(report.relabelled, 'object')} only {gets} the label that names the commit")
    return f"- {code(report.environment)}: {', '.join(facts) or 'not planned'}\n"
