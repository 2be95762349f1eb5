"""The parts of the Markdown report about database migrations: what blocks, what is lost, what is done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.preview.escaping import code, codes, entities, prose
from pipelines.preview.folding import Item, Section
from pipelines.preview.layout import Room, folded, section
from pipelines.preview.migrations.report import MigrationOutline
from pipelines.preview.migrations.words import (
    backup_words,
    duration_words,
    effect_words,
    known_scripts_words,
    loss_words,
    place,
    safe_way,
    script_words,
    shown_scripts,
    table_words,
    unknown_words,
    waiver_words,
    way,
    where,
)
from pipelines.preview.report import Report
from policies.checkov.catalogue import SEVERITIES
from policies.migrations.safety.findings import SafetyFinding

Told = tuple[str, MigrationOutline]


def blocking_section(report: Report, room: Room) -> Section:
    """Findings of the safety checks that forbid the merge."""
    return _findings_section(report, room, "blocking migrations", "⛔ Unsafe in database scripts", is_blocking=True)


def other_section(report: Report, room: Room) -> Section:
    """Findings that only warn, or are waived."""
    title = "Findings in database scripts that do not block"
    return _findings_section(report, room, "other migration findings", title, is_blocking=False)


def losses_section(report: Report) -> Section:
    """What goes with the scripts and no script brings back."""
    found = [(name, one, loss) for name, one in _told(report) for loss in one.losses]
    items = (
        Item(f"- {code(name)} {code(place(loss.file, loss.line))}: {prose(loss_words(one, loss))}\n")
        for name, one, loss in found
    )
    return section("losses", "⚠️ Lost from databases", items, len(found), "losses of databases")


def migrations_section(report: Report, room: Room) -> Section:
    """Each way of each database: its scripts, its sizes, how long, and what brings it back."""
    told = _told(report)
    items = (_migration_item(name, one, room) for name, one in told)
    return section("migrations", "Database migrations", items, len(told), "database migrations")


def databases_section(report: Report, room: Room) -> Section:
    """Which databases."""
    told = [(name, one) for name, one in _told(report) if one.is_applied]
    items = (
        Item(
            f"- {code(one.database)} {prose(way(one))}: {codes(one.targets, room.names)}\n",
            f"Databases to migrate in {entities(name)}",
            len(one.targets),
        )
        for name, one in told
    )
    return folded("databases to migrate", items, sum(len(one.targets) for _, one in told), "databases to migrate")


def _told(report: Report) -> list[Told]:
    return [(one.environment, outline) for one in report.environments for outline in one.migrations]


def _findings_section(report: Report, room: Room, name: str, title: str, *, is_blocking: bool) -> Section:
    found = [
        (environment, one, finding)
        for environment, one in _told(report)
        for finding in one.findings
        if finding.is_blocking == is_blocking
    ]
    found.sort(key=lambda told: (-SEVERITIES.index(told[2].severity), told[0], told[2].file, told[2].line))
    items = (_finding_item(environment, one, finding, room) for environment, one, finding in found)
    return section(name, title, items, len(found), "findings in database scripts")


def _finding_item(environment: str, outline: MigrationOutline, finding: SafetyFinding, room: Room) -> Item:
    detail = f": {prose(finding.detail)}" if finding.detail else ""
    waiver = waiver_words(finding)
    where_ = f"{code(environment)} {code(place(finding.file, finding.line))}"
    lines = [
        f"- **{finding.severity}** {where_}: {prose(finding.title)}{detail} ({code(finding.check)})",
        f"  - {code(finding.statement)}",
    ]
    effect = effect_words(finding)
    lines += [f"  - {prose(effect)}"] if effect else []
    tables = table_words(outline, finding)
    lines += [f"  - on {', '.join(map(prose, tables[: room.names]))}"] if tables else []
    instead = safe_way(outline, finding)
    lines += [f"  - instead: {prose(instead)}"] if instead else []
    lines += [f"  - {prose(waiver)}"] if waiver else []
    return Item("\n".join(lines) + "\n")


def _migration_item(environment: str, outline: MigrationOutline, room: Room) -> Item:
    lines = [f"- {code(environment)} {code(outline.database)} {prose(way(outline))} {prose(where(outline))}"]
    lines += [f"  - {line}" for line in _scripts(outline, room)]
    lines += [f"  - {prose(words)}" for words in (unknown_words(outline), duration_words(outline)) if words]
    if outline.backup is not None and outline.is_applied:
        lines.append(f"  - backup: {prose(backup_words(outline.backup))}")
    return Item("\n".join(lines) + "\n")


def _scripts(outline: MigrationOutline, room: Room) -> Iterator[str]:
    known, shown = known_scripts_words(outline), shown_scripts(outline)
    if known:
        yield known
    for row in shown[: room.names]:
        yield f"{code(row.file)}: {prose(script_words(row))}"
    more = len(shown) - room.names
    if more > 0:
        yield f"and {more:,} more scripts"
