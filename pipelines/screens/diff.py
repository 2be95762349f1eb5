"""`adx diff`: units, what happens to each, and every field before → after."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.words import counted, short
from policies.change_set import ChangeSet, FieldChange, UnitChange

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_STYLES = {"add": "green", "change": "yellow", "remove": "red"}
_PAST = {"add": "to add", "change": "to change", "remove": "to remove"}


def diff_screen(change_set: ChangeSet) -> RenderableType:
    """The whole change set; one heading line per unit, its fields below."""
    if change_set.is_empty():
        return Text.assemble(_heading(change_set), "\n\nNothing changes.")
    parts: list[RenderableType] = [_heading(change_set), Text()]
    for change in change_set.changes:
        parts.append(_unit_line(change))
        if change.fields:
            parts.append(_fields(change.fields))
    return Group(*parts, Text(), summary(change_set))


def summary(change_set: ChangeSet) -> Text:
    """``3 units: 1 to add, 2 to change``."""
    counts: Counter[str] = Counter(change.action for change in change_set.changes)
    actions = ", ".join(f"{counts[action]} {words}" for action, words in _PAST.items() if counts[action])
    return Text(f"{counted(len(change_set.changes), 'unit')}: {actions}", style="bold")


def _heading(change_set: ChangeSet) -> Text:
    base, commit = short(change_set.base_commit), short(change_set.commit)
    return Text.assemble(plain(change_set.environment, "bold"), f"  {base} → {commit}")


def _unit_line(change: UnitChange) -> Text:
    return Text.assemble(
        (f"{_SIGNS[change.action]} ", _STYLES[change.action]), plain(change.unit, "bold"), (f"  {change.action}", "dim")
    )


def _fields(fields: tuple[FieldChange, ...]) -> Table:
    grid = Table.grid(padding=(0, 1), expand=False)
    grid.add_column(width=3)
    grid.add_column(overflow="fold", ratio=2)
    grid.add_column(overflow="fold", ratio=3)
    for field in fields:
        grid.add_row("", plain(field.path), _before_after(field))
    return grid


def _before_after(field: FieldChange) -> Text:
    before = plain("(none)" if field.before is None else field.before, "red")
    after = plain("(none)" if field.after is None else field.after, "green")
    return Text.assemble(before, " → ", after)
