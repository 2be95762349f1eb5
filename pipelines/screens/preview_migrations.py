"""`adx preview`: rows of the terminal about database migrations; what blocks and what is lost come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from pipelines.output import plain
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
    state_words,
    table_words,
    unknown_words,
    waiver_words,
    way,
    where,
)
from pipelines.preview.report import EnvironmentReport
from policies.listing import first_of
from policies.migrations.safety.findings import SafetyFinding


def finding_texts(report: EnvironmentReport, *, is_blocking: bool) -> Iterator[Text]:
    """The findings of the safety checks, each with what it locks and how to write it instead."""
    for outline in report.migrations:
        for finding in outline.findings:
            if finding.is_blocking == is_blocking:
                yield _finding(outline, finding)


def loss_texts(report: EnvironmentReport) -> Iterator[Text]:
    """What is gone for good."""
    for outline in report.migrations:
        for loss in outline.losses:
            spot = place(loss.file, loss.line)
            yield Text.assemble(plain(f"{spot} ", "bold red"), plain(loss_words(outline, loss)))


def migration_texts(report: EnvironmentReport, most: int) -> Iterator[Text]:
    """Each way of each database in a few lines."""
    for outline in report.migrations:
        yield _migration(outline, most)


def _finding(outline: MigrationOutline, finding: SafetyFinding) -> Text:
    style = "bold red" if finding.is_blocking else "yellow"
    detail = f": {finding.detail}" if finding.detail else ""
    told = [effect_words(finding), f"on {', '.join(table_words(outline, finding))}" if finding.tables else ""]
    instead = safe_way(outline, finding)
    told += [f"instead: {instead}" if instead else "", waiver_words(finding)]
    head = Text.assemble(
        plain(f"{state_words(finding)} {finding.severity}", style),
        plain(f" {place(finding.file, finding.line)} {finding.title}{detail} [{finding.check}]"),
    )
    return _under(head, told, "")


def _migration(outline: MigrationOutline, most: int) -> Text:
    scripts = [f"{row.file.rpartition('/')[2]} ({script_words(row)})" for row in shown_scripts(outline)]
    backup = f"backup: {backup_words(outline.backup)}" if outline.backup is not None and outline.is_applied else ""
    told = [
        known_scripts_words(outline),
        first_of(scripts, max(most, 1)),
        unknown_words(outline),
        duration_words(outline),
        backup,
    ]
    head = Text.assemble(plain(outline.database, "bold"), plain(f" {way(outline)} {where(outline)}"))
    return _under(head, told, "dim")


def _under(head: Text, told: Iterable[str], style: str) -> Text:
    """``head`` with what there is of ``told`` below, a line each."""
    return Text.assemble(head, *(part for one in told if one for part in ("\n    ", plain(one, style))))
