"""The parts of the Markdown report that draw the waves in which tenants are reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.preview.escaping import code, codes, entities, prose
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, folded, section
from pipelines.preview.report import EnvironmentReport, FleetOutline, Report, WaveOutline
from pipelines.preview.waves import rule_words, wave_title, wave_words

MOST_WAVES = 12
_HEADER = "| wave | what | only after the approval of |\n|---|---|---|\n"


def waves_section(report: Report) -> Section:
    """For each environment one table, and in words what holds for all its waves."""
    outlines = [(one.environment, one.fleet) for one in report.environments if one.fleet is not None]
    items = (Item(_drawn(name, outline), weight=len(outline.waves)) for name, outline in outlines)
    return section("waves", "Waves", items, sum(len(outline.waves) for _, outline in outlines))


def units_section(report: Report, room: Room) -> Section:
    """Who is in which wave."""
    items = [item for one in report.environments for item in _units(one, room)]
    return folded("units of waves", items, sum(item.weight for item in items), "units in waves")


def _drawn(environment: str, outline: FleetOutline) -> str:
    words = "".join(f"- {prose(one)}\n" for one in rule_words(outline))
    rows = "".join(_row(wave, outline) for wave in outline.waves[:MOST_WAVES])
    more = len(outline.waves) - MOST_WAVES
    rest = f"| … | {more:,} more waves | |\n" if more > 0 else ""
    return f"In {code(environment)}:\n\n{_HEADER}{rows}{rest}\n{words}{_held(outline)}"


def _row(wave: WaveOutline, outline: FleetOutline) -> str:
    approval = codes(outline.approvers, 4) if wave.needs_approval else ""
    return f"| {prose(wave_title(wave))} | {wave_words(wave)} | {approval} |\n"


def _held(outline: FleetOutline) -> str:
    holds = outline.holds
    lines = [f"- **held now**: {prose(holds.now)}\n"] if holds.now else []
    lines += [f"- coming: {prose(one)}\n" for one in holds.coming]
    windows = "; ".join(map(prose, holds.windows[:4]))
    lines += [f"- units start only {windows}\n"] if windows else []
    return "".join(lines)


def _units(report: EnvironmentReport, room: Room) -> Iterator[Item]:
    group = f"Units of the waves in {entities(report.environment)}"
    for wave in report.fleet.waves if report.fleet is not None else ():
        yield Item(f"- {prose(wave_title(wave))}: {codes(wave.units, room.names)}\n", group, len(wave.units))
