"""`adx import`: what is not as it was, what is proposed, and what to do next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.importing.files import general
from pipelines.importing.model import Imported, Row
from pipelines.output import plain
from pipelines.words import counted

MOST_OBJECTS = 3
LONGEST_VALUE = 40
PLACE_WIDTH = 34
_HEADS = {
    "danger": ("danger", "bold red", "what a delivery would do to what runs"),
    "secret": ("secrets", "red", "a reference into Vault stands in their place"),
    "lost": ("lost", "yellow", "declarations have no word for it"),
    "guessed": ("guessed", "cyan", "the cluster does not say it: look at each"),
    "changed": ("changed", "", "ADX does it in another way"),
    "added": ("added", "", "ADX does it, and nobody had asked for it"),
}


def import_screen(found: Imported, written: Path | None = None) -> RenderableType:
    """The whole import: the files themselves only where they were not written."""
    return Group(*_parts(found, written))


def _parts(found: Imported, written: Path | None) -> Iterator[RenderableType]:
    whose = f"{found.environment}, tenant {found.tenant}" if found.tenant else found.environment
    where = f"  {counted(found.objects, 'object')}, to be delivered into {found.target_namespace}"
    yield Text.assemble(plain(found.namespace, "bold"), " → ", plain(whose, "bold"), plain(where, "dim"))
    for file in () if written is not None else found.files:
        yield Text()
        yield plain(file.path, "bold")
        yield from (plain(line, "dim" if line.lstrip().startswith("#") else "") for line in file.text.splitlines())
    for kind, rows in groupby(found.rows, key=lambda row: row.kind):
        yield Text()
        yield from _section(kind, list(rows))
    yield Text()
    yield from (plain(f"not valid: {problem}", "red") for problem in found.problems)
    if written is not None:
        yield from (plain(f"wrote {written / file.path}", "green") for file in found.files)
    yield _steps(found.next_steps)


def _section(kind: str, rows: Sequence[Row]) -> Iterator[RenderableType]:
    """All rows of one kind below their objects; what is the same of several objects once, below all of them."""
    name, style, meaning = _HEADS[kind]
    yield Text.assemble(plain(name, style or "bold"), plain(f"  {meaning}", "dim"))
    alike: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        alike[general(row) or row.path.rpartition(".")[2], row.what].append(row)
    by_objects: dict[tuple[str, ...], list[list[Row]]] = defaultdict(list)
    for same in alike.values():
        by_objects[tuple(dict.fromkeys(row.object for row in same))].append(same)
    for objects, groups in by_objects.items():
        yield Padding(plain(_named(objects)), (0, 0, 0, 2), expand=False)
        yield Padding(_places(groups), (0, 0, 0, 4), expand=False)


def _places(groups: Sequence[Sequence[Row]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    has_places = any(_place(rows) for rows in groups)
    if has_places:
        grid.add_column(max_width=PLACE_WIDTH, overflow="fold")
    grid.add_column(overflow="fold")
    for rows in groups:
        why = plain(rows[0].what, "dim")
        grid.add_row(plain(_place(rows)), why) if has_places else grid.add_row(why)
    return grid


def _place(rows: Sequence[Row]) -> str:
    """``revisionHistoryLimit (10 → 3)``: with the value where it is short, and the same for all."""
    row, values = rows[0], {row.value for row in rows}
    value = values.pop() if len(values) == 1 else ""
    is_short = value and len(value) <= LONGEST_VALUE and not (row.kind == "added" and "," in value)
    place = general(row) or (row.path.rpartition(".")[2] if row.kind == "guessed" else "")
    return " ".join(part for part in (place, f"({value})" if is_short else "") if part)


def _named(objects: Sequence[str]) -> str:
    more = f" and {len(objects) - MOST_OBJECTS} more" if len(objects) > MOST_OBJECTS else ""
    return ", ".join(objects[:MOST_OBJECTS]) + more


def _steps(steps: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right")
    grid.add_column(overflow="fold")
    for number, step in enumerate(steps, 1):
        grid.add_row(plain(f"{number}."), plain(step))
    return grid
