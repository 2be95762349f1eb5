"""`adx drift --last`: what the scheduled checks found last, and since when each unit has drifted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipelines.drift.last import LastCheck, LastUnit
from pipelines.output import plain
from pipelines.words import moment, short
from workflows.ledger.models import JsonObject

_STYLES = {"as-delivered": "green", "drifted": "bold red", "rollout-under-way": "cyan", "unchecked": "bold yellow"}


def last_drift_screen(found: Sequence[LastCheck]) -> RenderableType:
    """Every environment, its drifted units, and what of them."""
    if not found:
        return Text("Nothing was ever delivered. `adx deploy` starts.")
    return Group(*(part for one in found for part in _environment(one)))


def _environment(one: LastCheck) -> list[RenderableType]:
    head = Text.assemble(
        plain(one.environment, "bold"), plain(f"  {short(one.commit)}" if one.commit else "", "dim"),
        "  ", plain(_said(one), _STYLES.get(one.status, "dim")),
    )  # fmt: skip
    lines: list[RenderableType] = [head]
    if one.at is not None:
        compared = "" if one.compared_at == one.at else f", last compared {_at(one)}"
        lines.append(plain(f"  checked {moment(one.at)}{compared}", "dim"))
    if one.reason:
        lines.append(plain(f"  {one.reason}", "yellow"))
    if one.not_healed:
        lines.append(plain(f"  not healed: {one.not_healed}", "yellow"))
    for unit in one.units:
        lines += _unit(unit)
    return lines + [plain(f"  {_object(stray)}  of no unit", "magenta") for stray in one.strays]


def _said(one: LastCheck) -> str:
    if one.status == "never-checked":
        return "never checked: declare `drift` in its environment.yaml"
    if one.status == "as-delivered":
        return f"as delivered: {one.compared} objects compared"
    if one.status == "drifted":
        return f"{len(one.units)} unit(s) drifted" + (f", {len(one.strays)} of no unit" if one.strays else "")
    return one.status.replace("-", " ")


def _at(one: LastCheck) -> str:
    return moment(one.compared_at) if one.compared_at is not None else "never"


def _unit(unit: LastUnit) -> list[RenderableType]:
    healed = f", healed {unit.heals} time(s)" if unit.heals else ""
    since = plain(f"  since {moment(unit.drifted_since)}{healed}", "dim")
    lines: list[RenderableType] = [Text.assemble(plain(f"  {unit.unit}", "bold"), since)]
    for one in unit.objects:
        where = f"  in {one['namespace']}" if one.get("namespace") else ""
        lines.append(
            Text.assemble(plain(f"    {_object(one)}"), plain(where, "dim"), plain(f"  {one.get('state', '')}"))
        )
        lines += [Padding(_field(field), (0, 0, 0, 6)) for field in one.get("fields", [])]
    return lines


def _object(one: JsonObject) -> str:
    return f"{one.get('kind', '')}/{one.get('name', '')}"


def _field(field: JsonObject) -> Text:
    return Text.assemble(plain(field["path"]), plain(f"  by {field['by']}" if field.get("by") else "", "dim"))
