"""`adx explain`: one declaration, short; a line per unit where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.explaining.model import Consumer, Delivered, Explanation, ObjectRow, RuleRow, UnitExplanation
from pipelines.output import plain, table
from pipelines.screens.common import style_of
from pipelines.words import moment, short

MANY_UNITS = 5
MOST_NAMES = 15
LABEL_WIDTH = 13


def explain_screen(explanation: Explanation) -> RenderableType:
    """What it is, what it becomes in each environment, and what judges it."""
    parts: list[RenderableType] = [_heading(explanation), Text()]
    if len(explanation.units) > MANY_UNITS:
        parts += [_many(explanation.units), Text()]
    else:
        for unit in explanation.units:
            parts += [_unit_line(unit), _unit(unit), Text()]
    return Group(*parts, _around(explanation))


def _heading(explanation: Explanation) -> RenderableType:
    place = explanation.place
    line = f":{place.line}" if place.line else ""
    at = f" at {short(explanation.commit)}" if explanation.commit else ""
    head = Text.assemble(plain(f"{place.file}{line}", "bold"), plain(f"  {place.path}" if place.path else ""), at)
    value = [plain(f"value {explanation.value}")] if explanation.value else []
    return Group(head, plain(explanation.title), *value, *(plain(note, "dim") for note in explanation.notes))


def _unit_line(unit: UnitExplanation) -> Text:
    return Text.assemble(
        plain(unit.environment, "cyan"), "  ", plain(unit.unit, "bold"), plain(f"  {unit.owner}", "dim")
    )


def _unit(unit: UnitExplanation) -> Table:
    grid = _grid()
    for number, (namespace, rows) in enumerate(groupby(unit.objects, key=lambda row: row.namespace)):
        grid.add_row("becomes" if number == 0 else "", _objects(namespace, list(rows)))
    for how, consumers in groupby(unit.consumers, key=lambda consumer: consumer.how):
        grid.add_row(how, _consumers(list(consumers)))
    if unit.delivered is not None:
        grid.add_row("delivered", _delivered(unit.delivered))
    for number, rollout in enumerate(unit.rollouts):
        facts = f"{moment(rollout.started_at)}  {short(rollout.commit)}  "
        line = Text.assemble(plain(facts), plain(rollout.status, style_of(rollout.status)))
        grid.add_row("rollouts" if number == 0 else "", line)
    return grid


def _objects(namespace: str, rows: Sequence[ObjectRow]) -> Text:
    """``ConfigMap/a, Deployment/b  in shop``: the namespace once, since all of a unit's objects share it."""
    names = ", ".join(f"{row.kind}/{row.name}" for row in rows)
    return Text.assemble(plain(names), plain(f"  in {namespace}" if namespace else "", "dim"))


def _consumers(consumers: Sequence[Consumer]) -> Text:
    """``services a, b; tenant c``; of very many the first and how many more."""
    said: list[str] = []
    for kind, found in groupby(consumers, key=lambda consumer: consumer.kind):
        names = [consumer.name for consumer in found]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        said.append(f"{kind if len(names) == 1 else f'{kind}s'} {', '.join(names[:MOST_NAMES])}{more}")
    return plain("; ".join(said))


def _delivered(delivered: Delivered) -> Text:
    same = ("as declared here", "green") if delivered.is_as_declared else ("not as declared here", "yellow")
    facts = f", {moment(delivered.at)}, from {short(delivered.commit)}"
    return Text.assemble(plain(delivered.status, style_of(delivered.status)), " ", same, plain(facts))


def _many(units: Sequence[UnitExplanation]) -> Table:
    with_records = any(unit.delivered is not None for unit in units)
    screen = table("environment", "unit", "objects", "consumers", *(("delivered",) if with_records else ()))
    for unit in units:
        cells = (plain(len(unit.objects)), plain(len(unit.consumers) or "-"))
        record = (_short_record(unit.delivered),) if with_records else ()
        screen.add_row(plain(unit.environment), plain(unit.unit), *cells, *record)
    return screen


def _short_record(delivered: Delivered | None) -> Text:
    if delivered is not None and delivered.status == "applied" and not delivered.is_as_declared:
        return plain("differs", "yellow")
    return plain(delivered.status, style_of(delivered.status)) if delivered is not None else plain("-")


def _around(explanation: Explanation) -> RenderableType:
    """What is the same for all units: the ledger's silence, and the policies."""
    grid = _grid()
    if explanation.no_rollouts:
        grid.add_row("rollouts", plain(f"not known: {explanation.no_rollouts}", "yellow"))
    elif explanation.units and not any(unit.rollouts for unit in explanation.units):
        grid.add_row("rollouts", "none yet")
    for number, (system, names) in enumerate(_by_system(explanation.rules)):
        grid.add_row("rules" if number == 0 else "", Text.assemble(plain(f"{system}: ", "dim"), plain(names)))
    if explanation.checks:
        grid.add_row("checks", plain(", ".join(check.id for check in explanation.checks)))
    return grid


def _by_system(rules: Iterable[RuleRow]) -> list[tuple[str, str]]:
    """``("services", "unique-name, unique-port")``: ids without what they share."""
    by_system = groupby(rules, key=lambda rule: rule.id.partition(".")[0])
    return [(system, ", ".join(rule.id.partition(".")[2] for rule in found)) for system, found in by_system]


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL_WIDTH, style="dim")
    grid.add_column(overflow="fold")
    return grid
