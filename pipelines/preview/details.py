"""The folded parts of the Markdown report: every property that differs, every object, the picture. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from infra.engine.plan import Action
from pipelines.preview.escaping import code, codes, entities, fenced
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, folded
from pipelines.preview.picture import picture
from pipelines.preview.property_lines import property_lines
from pipelines.preview.report import Report, ResourceRow
from pipelines.preview.sentences import object_name


def picture_section(report: Report) -> Section:
    """The affected units as a diagram."""
    drawn = picture(report)
    items = [Item(f"{drawn}\n", "Picture of the affected units")]
    return folded("picture", items, 1 if drawn else 0, "picture of the affected units")


def replaced_section(report: Report, room: Room) -> Section:
    """What differs of objects that are deleted and created anew."""
    rows = _rows(report, "replace")
    items = _property_items(rows, room, "Properties of what is replaced in")
    return folded("properties of replacements", items, len(rows), "replaced objects with their properties")


def updated_section(report: Report, room: Room) -> Section:
    """What differs of objects that are changed in place."""
    rows = _rows(report, "update")
    items = _property_items(rows, room, "Properties of what is updated in")
    return folded("properties of updates", items, len(rows), "updated objects with their properties")


def pending_properties_section(report: Report, room: Room) -> Section:
    """What differs because of earlier merges."""
    found = [(one.environment, row) for one in report.environments for row in one.resources]
    rows = [(name, row) for name, row in found if row.is_pending and row.fields]
    items = _property_items(rows, room, "Properties of what was merged earlier in")
    return folded("properties of pending", items, len(rows), "objects of earlier merges with their properties")


def creations_section(report: Report, room: Room) -> Section:
    """The objects that come, by unit."""
    by_unit = _by_unit(
        (one.environment, row)
        for one in report.environments
        for row in one.resources
        if row.action == "create" and not row.is_pending
    )
    items = (
        Item(
            f"- {code(unit)}: {codes(list(map(object_name, rows)), room.names)}\n",
            f"Objects that are created in {entities(environment)}",
            len(rows),
        )
        for (environment, unit), rows in by_unit.items()
    )
    return folded("objects to create", items, sum(map(len, by_unit.values())), "objects that are created")


def _rows(report: Report, action: Action) -> list[tuple[str, ResourceRow]]:
    found = [(one.environment, row) for one in report.environments for row in one.resources]
    return [(name, row) for name, row in found if row.action == action and row.fields and not row.is_pending]


def _by_unit(rows: Iterable[tuple[str, ResourceRow]]) -> dict[tuple[str, str], list[ResourceRow]]:
    grouped: dict[tuple[str, str], list[ResourceRow]] = {}
    for environment, row in rows:
        grouped.setdefault((environment, row.unit), []).append(row)
    return grouped


def _property_items(rows: Sequence[tuple[str, ResourceRow]], room: Room, title: str) -> Iterator[Item]:
    """A block for each unit, in groups by environment; units whose objects differ alike share one."""
    by_unit = _by_unit(rows)
    alike: dict[tuple[str, tuple[object, ...]], list[str]] = {}
    for (environment, unit), owned in by_unit.items():
        alike.setdefault((environment, tuple(map(_alike, owned))), []).append(unit)
    for (environment, _), units in alike.items():
        block = fenced(_block(by_unit[environment, units[0]], room), "diff")
        weight = sum(len(by_unit[environment, unit]) for unit in units)
        yield Item(f"{codes(units, room.names)}\n\n{block}\n", f"{title} {entities(environment)}", weight)


def _alike(row: ResourceRow) -> tuple[object, ...]:
    """What makes two objects of different units look the same; an object called like its unit has no name here."""
    name = "" if row.unit.endswith(f"/{row.name}") else row.name
    return row.kind, name, row.fields


def _block(rows: Sequence[ResourceRow], room: Room) -> list[str]:
    lines: list[str] = []
    for row in rows:
        lines.append(f"@@ {object_name(row)} @@")
        lines += [line for field in row.fields for line in property_lines(field, room.value)]
    more = len(lines) - room.lines
    return lines if more <= 0 else [*lines[: room.lines], f"  … {more:,} more lines"]
