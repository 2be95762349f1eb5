"""How the parts of the Markdown report are laid out: what is kept longest, and how much one item may tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.preview.escaping import code
from pipelines.preview.fields import without_quotes
from pipelines.preview.folding import Item, Section
from pipelines.preview.property_lines import LONGEST_VALUE
from policies.change_set import FieldChange
from policies.masking import MASKED
from policies.spec import Spec

LONGEST_SHOWN = 60
# From what is kept longest to what is left out first.
IMPORTANCE = (
    "plans",
    "problems",
    "blocking findings",
    "blocking migrations",
    "unchecked",
    "dangerous",
    "losses",
    "migrations",
    "rules",
    "renames",
    "disruption",
    "waves",
    "declarations",
    "properties of replacements",
    "other findings",
    "other migration findings",
    "notes",
    "tenants",
    "units of waves",
    "databases to migrate",
    "pending",
    "picture",
    "properties of updates",
    "objects to create",
    "properties of pending",
)


class Room(Spec):
    """How much one item may tell, in proportion to the limit: a comment is short, an artifact holds everything."""

    names: int
    fields: int
    lines: int
    value: int


def room_for(limit: int) -> Room:
    """``limit`` is of the whole text, in characters."""
    return Room(
        names=max(6, limit // 8_000),
        fields=max(4, limit // 16_000),
        lines=max(40, limit // 1_600),
        value=max(LONGEST_VALUE, limit // 256),
    )


def section(name: str, title: str, items: Iterable[Item], total: int, noun: str = "", *, opening: str = "") -> Section:
    """A section under a title of its own; ``name`` says its importance, and what its items are unless ``noun`` does."""
    return Section(
        importance=IMPORTANCE.index(name),
        title=f"\n### {title}\n\n",
        noun=noun or name,
        total=total,
        items=items,
        opening=opening,
    )


def folded(name: str, items: Iterable[Item], total: int, noun: str) -> Section:
    """A section without a title; the groups of its items are folded, each under its own name."""
    return Section(importance=IMPORTANCE.index(name), title="\n", noun=noun, total=total, items=items, is_grouped=True)


def change_words(field: FieldChange) -> str:
    """One property in a line: path, before → after."""
    if field.before == field.after == MASKED:
        return f"{code(field.path)} has another value, which is never shown"
    return f"{code(field.path)} {_value(field.before)} → {_value(field.after)}"


def _value(text: str | None) -> str:
    return code(without_quotes(text), LONGEST_SHOWN) if text is not None else "(none)"
