"""The affected units as a Mermaid flowchart: which, in which environment, in which wave. Pure, and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipelines.preview.escaping import fenced, mermaid_label
from pipelines.preview.report import EnvironmentReport, Report, UnitRow
from pipelines.preview.waves import wave_title

MOST_ENVIRONMENTS = 6
MOST_WAVES = 8
MOST_UNITS = 10  # of one wave; more are told as groups
_KINDS = ("platform", "service", "tenant")
_SHAPES = {"add": "added", "change": "changed", "remove": "removed"}
_STYLES = (
    "classDef added stroke:#1a7f37,stroke-width:2px",
    "classDef changed stroke:#9a6700,stroke-width:2px",
    "classDef removed stroke:#cf222e,stroke-width:3px,stroke-dasharray:4",
)


def picture(report: Report) -> str:
    """A fenced Mermaid diagram; empty unless units follow each other in waves: else a list says the same."""
    shown = [environment for environment in report.environments if environment.units]
    if not any(one.fleet is not None and len(one.fleet.waves) > 1 for one in shown):
        return ""
    lines = ["flowchart LR"]
    for number, environment in enumerate(shown[:MOST_ENVIRONMENTS]):
        lines += _environment(f"e{number}", environment)
    if len(shown) > MOST_ENVIRONMENTS:
        lines.append(f'  more["{len(shown) - MOST_ENVIRONMENTS} more environments"]')
    return fenced([*lines, *(f"  {style}" for style in _STYLES)], "mermaid")


def _environment(id_: str, report: EnvironmentReport) -> Iterator[str]:
    yield f'  subgraph {id_}["{mermaid_label(report.environment)}"]'
    waves = _waves(report)
    for number, (title, units) in enumerate(waves[:MOST_WAVES]):
        wave = f"{id_}w{number}"
        yield f'    subgraph {wave}["{title}"]'
        for index, (label, action) in enumerate(_nodes(units)):
            yield f'      {wave}n{index}["{label}"]:::{_SHAPES[action]}'
        yield "    end"
    if len(waves) > MOST_WAVES:
        yield f'    {id_}w{MOST_WAVES}["{len(waves) - MOST_WAVES} more waves"]'
    if report.fleet is not None or [title for title, _ in waves[:2]] == ["platform", "services"]:
        last = min(len(waves), MOST_WAVES + 1) if report.fleet is not None else 2
        for number in range(last - 1):
            yield f"    {id_}w{number} ==> {id_}w{number + 1}"
    yield "  end"


def _waves(report: EnvironmentReport) -> list[tuple[str, list[UnitRow]]]:
    """Title and units of each wave; without declared waves by kind, where the platform precedes the services."""
    by_id = {row.unit: row for row in report.units}
    if report.fleet is not None:
        waves = report.fleet.waves
        placed = [(wave_title(wave), [by_id[unit] for unit in wave.units if unit in by_id]) for wave in waves]
        in_a_wave = {unit for wave in waves for unit in wave.units}
        rest = [row for row in report.units if row.unit not in in_a_wave]
        titled = [(mermaid_label(title), rows) for title, rows in placed]
        return [(title, rows) for title, rows in (*titled, ("in no wave", rest)) if rows]
    titles = {"platform": "platform", "service": "services", "tenant": "tenants"}
    by_kind = {kind: [row for row in report.units if row.unit.partition("/")[0] == kind] for kind in _KINDS}
    return [(titles[kind], rows) for kind, rows in by_kind.items() if rows]


def _nodes(rows: Sequence[UnitRow]) -> Iterator[tuple[str, str]]:
    """Label and action of each node: every unit where they are few, else one node for each kind and action."""
    if len(rows) <= MOST_UNITS:
        for row in rows:
            yield mermaid_label(row.unit), row.action
        return
    counts = Counter((row.unit.partition("/")[0], row.action) for row in rows)
    for (kind, action), count in sorted(counts.items()):
        yield f"{count:,} × {mermaid_label(kind)}", action
