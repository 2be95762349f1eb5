"""`adx services`: lists of services, one of them in full, and whether they go together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain, table
from pipelines.services.compatibility import Compatibility, Need
from pipelines.services.declared import ServiceRow
from pipelines.words import counted, short
from policies.errors import Problem


def list_screen(rows: Sequence[ServiceRow], *, with_delivered: bool) -> RenderableType:
    """Every service, environment by environment; a column that would say the same in every line is left out."""
    if not rows:
        return plain("No service is declared.")
    environments = len({row.environment for row in rows})
    columns: dict[str, Callable[[ServiceRow], Text]] = {
        "service": lambda row: plain(row.service, "bold"),
        "environment": lambda row: plain(row.environment),
        "version": lambda row: plain(row.version),
        "delivered": _delivered,
        "replicas": lambda row: plain(row.replicas or "-"),
        "depends on": lambda row: Text("\n").join(map(plain, _wants(row.dependencies) or ["-"])),
    }
    left_out = {*(() if with_delivered else ("delivered",)), *(() if environments > 1 else ("environment",))}
    chosen = {name: cell for name, cell in columns.items() if name not in left_out}
    shown = table(*chosen)
    for column in shown.columns[:-1]:
        column.no_wrap = True
    for row in rows:
        shown.add_row(*(cell(row) for cell in chosen.values()))
    where = rows[0].environment if environments == 1 else counted(environments, "environment")
    return Group(shown, plain(f"{counted(len(rows), 'service')} in {where}", "dim"))


def show_screen(rows: Sequence[ServiceRow], *, with_delivered: bool) -> RenderableType:
    """One service, environment by environment."""
    parts: list[RenderableType] = []
    for row in rows:
        parts += [Text()] if parts else []
        parts += [
            Text.assemble(plain(row.service, "bold"), plain(f" in {row.environment}")),
            _facts(row, with_delivered),
        ]
    return Group(*parts)


def compat_screen(found: Compatibility) -> RenderableType:
    """What each service needs and has, the order, and then what is wrong, so that it is not scrolled away."""
    parts: list[RenderableType] = []
    if found.needs:
        rows = table("service", "needs", "wanted", "declared", "")
        for need in found.needs:
            rows.add_row(*_need(need))
        parts += [rows, Text()]
    if found.stages:
        parts += [_order(found.stages), Text()]
    parts += map(_problem, found.problems)
    parts.append(_verdict(found))
    return Group(*parts)


def _order(stages: Sequence[Sequence[str]]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", justify="right")
    grid.add_column(overflow="fold")
    for number, stage in enumerate(stages, start=1):
        grid.add_row(f"{number}.", plain(", ".join(stage)))
    return grid


def _facts(row: ServiceRow, with_delivered: bool) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _lines(row, with_delivered):
        grid.add_row(f"  {name}", value)
    return grid


def _lines(row: ServiceRow, with_delivered: bool) -> Iterator[tuple[str, Text]]:
    yield "image", plain(f"{row.image}:{row.version}")
    yield "version", plain(row.release or "none that can be compared", "" if row.release else "yellow")
    if with_delivered:
        yield "delivered", _delivered(row)
    yield "replicas", plain(row.replicas or "-")
    yield "owner", plain(row.owner)
    yield "depends on", plain(", ".join(_wants(row.dependencies)) or "nothing")
    yield "called by", plain(", ".join(row.callers) or "no service")
    if row.schema_versions:
        yield "databases", plain(", ".join(f"{name} ≥ {version}" for name, version in row.schema_versions.items()))
    if row.feature_flags:
        yield "flags", plain(", ".join(row.feature_flags))
    if row.allow_downgrade is not None:
        yield "lowered", plain(row.allow_downgrade, "yellow")


def _delivered(row: ServiceRow) -> Text:
    return plain(row.delivered or "-", "green" if row.delivered == row.version else "yellow")


def _wants(dependencies: Mapping[str, str]) -> list[str]:
    """``cartservice >=1.4 <2``, or the name alone where any version will do."""
    return [f"{name} {wanted}".strip() for name, wanted in dependencies.items()]


def _need(need: Need) -> tuple[Text, ...]:
    kind = "" if need.kind == "service" else f"{need.kind} "
    mark = plain("✓", "green") if need.is_met else plain("✗", "bold red")
    return (
        plain(need.service, "bold"),
        plain(f"{kind}{need.name}"),
        plain(need.wanted or "any"),
        plain(need.found or "-"),
        mark,
    )


def _problem(problem: Problem) -> Text:
    """As compilers print theirs, like every other list of problems."""
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return Text.assemble(plain(place, "bold red"), plain(f": {problem.what}; {problem.fix}  [{problem.rule}]"))


def _verdict(found: Compatibility) -> Text:
    at = f" at {short(found.commit)}" if found.commit else ""
    since = f", none lowered since {short(found.since)}" if found.since else ""
    if found.is_compatible:
        return plain(f"The services of {found.environment}{at} go together{since}.", "green")
    return plain(f"{counted(len(found.problems), 'issue')} in {found.environment}{at}", "bold red")
