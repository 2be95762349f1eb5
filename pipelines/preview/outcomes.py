"""The parts of the Markdown report that say what comes of the change. Pure.

Units of which the same is to be told are told as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from infra.engine.plan import Action
from pipelines.preview.escaping import code, codes, prose
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, change_words, folded, section
from pipelines.preview.report import Disruption, EnvironmentReport, Report, UnitRow
from pipelines.preview.sentences import ACTIONS, effects, told_fields
from pipelines.screens.common import counted

_DOWNTIME = {"certain": "**certain**", "possible": "**possible**", "none": "none"}
_CHANGED = {"add": "new", "change": "changed", "remove": "**removed**"}


def counts_section(report: Report) -> Section:
    """How many objects of each system; what waits from earlier merges is not among them."""
    counts: dict[tuple[str, str], Counter[Action]] = {}
    for one in report.environments:
        for row in one.resources:
            if not row.is_pending:
                counts.setdefault((one.environment, row.system), Counter())[row.action] += 1
    items = (Item(_count_line(name, system, counts[name, system])) for name, system in sorted(counts))
    header = "| environment | system | delete | replace | update | create |\n|---|---|--:|--:|--:|--:|\n"
    return section("counts", "Objects", items, len(counts), "rows of this table", opening=header)


def _count_line(environment: str, system: str, counts: Mapping[Action, int]) -> str:
    cells = (f"{counts[one]:,}" if counts.get(one) else "" for one in ACTIONS)
    marked = (f"**{cell}**" if cell and one in ACTIONS[:2] else cell for one, cell in zip(ACTIONS, cells, strict=True))
    return f"| {code(environment)} | {code(system)} | {' | '.join(marked)} |\n"


def declarations_section(report: Report, room: Room) -> Section:
    """What people wrote; units that change alike are told as one."""
    alike: dict[tuple[object, ...], list[UnitRow]] = {}
    for one in report.environments:
        for row in one.units:
            file = "" if row.unit.startswith("tenant/") else row.file
            alike.setdefault((one.environment, row.action, row.fields, file), []).append(row)
    items = (_declaration_item(str(key[0]), rows, room) for key, rows in alike.items())
    total = sum(len(one.units) for one in report.environments)
    return section("declarations", "What the declarations change", items, total, "units")


def _declaration_item(environment: str, rows: Sequence[UnitRow], room: Room) -> Item:
    first = rows[0]
    units = codes([row.unit for row in rows], room.names)
    where = f" in {code(first.file)}" if len(rows) == 1 else ""
    changes = told_fields(first.fields)
    fields = ", ".join(one if isinstance(one, str) else change_words(one) for one in changes[: room.fields])
    more = len(changes) - room.fields
    told = f": {fields}{f' and {more:,} more' if more > 0 else ''}" if fields else ""
    return Item(f"- {code(environment)} {units} {_CHANGED[first.action]}{where}{told}\n", weight=len(rows))


def disruption_section(report: Report, room: Room) -> Section:
    """One line for units of which the same is expected; the worst first."""
    alike: dict[tuple[object, ...], list[str]] = {}
    examples: dict[tuple[object, ...], Disruption] = {}
    for one in report.environments:
        for found in one.disruptions:
            key = (one.environment, found.downtime, found.pods_restarted, found.volumes_replaced, found.why)
            alike.setdefault(key, []).append(found.unit)
            examples[key] = found
    order = sorted(alike, key=lambda key: (list(_DOWNTIME).index(str(key[1])), not key[2], str(key[0])))
    items = (_disruption_item(str(key[0]), examples[key], alike[key], room) for key in order)
    total = sum(len(units) for units in alike.values())
    header = "| environment | unit | downtime | pods restarted | why |\n|---|---|---|--:|---|\n"
    return section("disruption", "Estimated disruption", items, total, "units' estimates", opening=header)


def _disruption_item(environment: str, found: Disruption, units: Sequence[str], room: Room) -> Item:
    volumes = f"{counted(found.volumes_replaced, 'volume')} replaced; " if found.volumes_replaced else ""
    each = " each" if len(units) > 1 else ""
    pods = f"{found.pods_restarted:,}{each}" if found.pods_restarted else ""
    return Item(
        f"| {code(environment)} | {codes(units, room.names)} | {_DOWNTIME[found.downtime]} "
        f"| {pods} | {volumes}{prose(found.why)} |\n",
        weight=len(units),
    )


def tenants_section(report: Report, room: Room) -> Section:
    """Who would notice, and by what."""
    items: list[Item] = []
    for one in report.environments:
        alike: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
        for effect in one.tenants:
            alike.setdefault((effect.is_direct, () if effect.is_direct else effect.through), []).append(effect.tenant)
        for (is_direct, through), names in sorted(alike.items(), key=lambda pair: (not pair[0][0], pair[0][1])):
            why = "by their own declaration" if is_direct else f"through {codes(through, room.names)}"
            text = f"- {code(one.environment)} {counted(len(names), 'tenant')} {why}: {codes(names, room.names)}\n"
            items.append(Item(text, weight=len(names)))
    return section("tenants", "Tenants affected", items, sum(item.weight for item in items))


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


def plans_section(report: Report) -> Section:
    """What each plan starts from, and its digest."""
    return folded("plans", map(_plan_item, report.environments), len(report.environments), "plans")


def _plan_item(report: EnvironmentReport) -> Item:
    facts = [f"delivered now {code(report.delivered_commit[:12])}"] if report.delivered_commit else []
    if not facts and not report.unchecked:
        facts.append("nothing is delivered yet")
    if report.digest:
        facts.append(f"plan {code(report.digest[:16])}")
    facts += [f"{counted(report.unchanged, 'object')} unchanged"] if report.unchanged else []
    facts += [f"{counted(report.relabelled, 'object')} only relabelled"] if report.relabelled else []
    return Item(f"- {code(report.environment)}: {', '.join(facts) or 'not planned'}\n", "Plans")
