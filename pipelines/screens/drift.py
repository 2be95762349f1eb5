"""`adx drift`: how each environment stands; what has drifted, by unit, with its values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.words import short
from workflows.drift.findings import DriftedField, DriftedObject, EnvironmentDrift, sentence

LONGEST_VALUE = 160
STRAYS = "with ADX's labels, but of no unit"
_STYLES = {
    "as-delivered": "green",
    "drifted": "bold red",
    "rollout-under-way": "cyan",
    "nothing-delivered": "dim",
    "unchecked": "bold yellow",
}
_SIGNS = {"changed": ("~", "yellow"), "missing": ("-", "red"), "stray": ("?", "magenta")}


def drift_screen(found: Sequence[EnvironmentDrift]) -> RenderableType:
    """Every environment; those with drift in full."""
    if not found:
        return Text("Nothing was ever delivered. `adx deploy` starts.")
    parts: list[RenderableType] = []
    for one in found:
        parts += [_heading(one), *_details(one)]
    return Group(*parts)


def _heading(found: EnvironmentDrift) -> Text:
    style = _STYLES[found.status]
    commit = f"  {short(found.commit)}" if found.commit else ""
    return Text.assemble(plain(found.environment, "bold"), plain(commit, "dim"), "  ", plain(sentence(found), style))


def _details(found: EnvironmentDrift) -> list[RenderableType]:
    parts: list[RenderableType] = [plain(f"  {note}", "yellow") for note in found.notes]
    if found.rollout:
        parts.append(plain(f"  {found.rollout}", "dim"))
    if found.status == "unchecked" and found.next_step:
        parts.append(plain(f"  → {found.next_step}"))
    for unit, objects in groupby(found.objects, key=lambda one: STRAYS if one.state == "stray" else one.unit):
        parts.append(plain(f"  {unit}", "bold"))
        for one in objects:
            parts += [_object_line(one), *([_fields(one.fields)] if one.fields else [])]
    return parts


def _object_line(one: DriftedObject) -> Text:
    sign, style = _SIGNS[one.state]
    where = f"  in {one.namespace}" if one.namespace else ""
    what = one.state if one.state != "stray" else f"labelled {one.unit}" if one.unit else ""
    return Text.assemble(
        plain(f"    {sign} ", style), plain(f"{one.kind}/{one.name}"), plain(where, "dim"), plain(f"  {what}", style)
    )


def _fields(fields: Sequence[DriftedField]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=7)
    grid.add_column(overflow="fold")
    for field in fields:
        grid.add_row("", Text.assemble(plain(field.path), plain(f"  by {field.by}" if field.by else "", "dim")))
        grid.add_row(
            "", Text.assemble("  live ", _value(field.live, "red"), ", delivered ", _value(field.delivered, "green"))
        )
    return grid


def _value(value: str | None, style: str) -> Text:
    if value is None:
        return plain("(none)", style)
    return plain(value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…", style)
