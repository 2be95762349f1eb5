"""`adx promote`: what travels, what stays, how the gates stand, and where the proposal is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain, table
from pipelines.promotion.model import Gate, Promotion, name_of
from pipelines.promotion.text import others_of, shown
from pipelines.words import counted, moment, short

MOST_KEPT = 20


def promote_screen(found: Promotion, *, with_diff: bool = False) -> RenderableType:
    """The whole promotion; the lines that change with ``with_diff``."""
    return Group(*_parts(found, with_diff))


def _parts(found: Promotion, with_diff: bool) -> Iterator[RenderableType]:
    yield Text.assemble(
        plain(found.source, "bold"), " → ", plain(found.target, "bold"), plain(f"  {short(found.commit)}", "dim")
    )
    yield from _versions(found)
    yield from _values(found)
    if found.gates and found.changes:
        yield _gates(found.gates)
    yield from _kept(found)
    if with_diff and found.diff:
        yield from _diff(found.diff.splitlines())
    yield from _ending(found)


def _versions(found: Promotion) -> Iterator[RenderableType]:
    if not found.versions:
        return
    shown_table = table("service", "from", "to")
    for one in found.versions:
        after = f"{one.after} (goes back)" if one.is_back else one.after
        shown_table.add_row(
            plain(one.service),
            plain(one.before),
            plain(f"{after} {one.image}".strip(), "yellow" if one.is_back else ""),
        )
    yield shown_table


def _values(found: Promotion) -> Iterator[RenderableType]:
    changes = others_of(found)
    if not changes:
        return
    shown_table = table("value", "from", "to")
    for one in changes:
        name = name_of(one.path, one.kind)
        after = f"{shown(one.after)} ({one.why})" if one.why else shown(one.after)
        shown_table.add_row(plain(name), plain(shown(one.before)), plain(after))
    yield shown_table


def _gates(gates: Sequence[Gate]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for gate in gates:
        mark, style = ("✓", "green") if gate.is_met else ("✗", "red")
        when = f", met at {moment(gate.met_at)} UTC" if gate.met_at is not None else ""
        name = Text.assemble(plain(f"  {mark} ", style), plain(gate.name))
        grid.add_row(name, plain(f"{gate.said}{when}", "" if not gate.is_met else "dim"))
    return grid


def _kept(found: Promotion) -> Iterator[RenderableType]:
    if not found.kept:
        return
    yield plain(f"  kept as {found.target} has it: {counted(len(found.kept), 'difference')}", "dim")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for one in found.kept[:MOST_KEPT]:
        grid.add_row(plain(f"    {one.name}"), plain(one.why, "dim"))
    yield grid
    if len(found.kept) > MOST_KEPT:
        yield plain(f"    and {len(found.kept) - MOST_KEPT} more; --json lists all", "dim")


def _diff(lines: Sequence[str]) -> Iterator[RenderableType]:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        yield plain(line, styles.get(line[:1], ""))


def _ending(found: Promotion) -> Iterator[RenderableType]:
    if found.status == "nothing-to-promote":
        yield plain(f"nothing to promote from {found.source} to {found.target}", "green")
        return
    if found.forced:
        names = ", ".join(gate.name for gate in found.blocked_by)
        yield plain(f"forced past {names}: {found.forced}", "yellow")
    elif found.blocked_by:
        yield plain("not met, so nothing is proposed; --force with --reason goes past gates", "red")
    if found.status == "not-proposed":
        yield plain("nothing was proposed (--dry-run)")
    elif found.status == "branch-left":
        yield plain(f"pushed {found.branch}; no git hosting is configured, so open the pull request yourself", "green")
        yield plain("  → set GITHUB_TOKEN and GITHUB_REPOSITORY to have it opened")
    elif found.status == "proposed":
        yield plain(f"{'opened' if found.is_new else 'up to date:'} {found.url}", "green")
