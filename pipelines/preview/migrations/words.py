"""What is told of database migrations, in plain words without markup. Pure; shared by all formats."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.preview.migrations.report import (
    BackupOutline,
    DataLoss,
    DurationOutline,
    MigrationOutline,
    ScriptRow,
    Strategy,
    TableRows,
)
from pipelines.preview.report import EnvironmentReport
from pipelines.words import counted, duration
from policies.migrations.safety.findings import SafetyFinding, TableAtStake

NOT_APPLIED = "nobody applies it: migrations.yaml names no server, or nobody has such a database"
_STRATEGIES: dict[Strategy, str] = {
    "down_script": "the down scripts",
    "table_copy": "a copy of the tables at stake",
    "dump": "a dump of the whole schema",
}
_SOON_SECONDS = 1.0
_IN_CONTRACT = "do it in a contract script"


def place(file: str, line: int) -> str:
    """``file:line``, or the file alone where it is meant as a whole."""
    return f"{file}:{line}" if line else file


def way(outline: MigrationOutline) -> str:
    """``version 3 → 4``, or ``version 3 from nothing``."""
    if outline.is_new and not outline.from_version:
        return f"version {outline.to_version} from nothing"
    return f"version {outline.from_version} → {outline.to_version}"


def where(outline: MigrationOutline) -> str:
    """``in 8 databases of 8 tenants on server shop-eu``, or that nobody applies it."""
    if not outline.is_applied:
        return NOT_APPLIED
    new = "new " if outline.is_new else ""
    of = f" of {counted(outline.tenants, 'tenant')}" if outline.tenants else ""
    return f"in {counted(len(outline.targets), f'{new}database')}{of} on server {', '.join(outline.servers)}"


def shown_scripts(outline: MigrationOutline) -> tuple[ScriptRow, ...]:
    """The scripts that are worth naming: in a new database all run, and those of the base are no news."""
    return tuple(row for row in outline.scripts if not (outline.is_new and row.is_pending))


def known_scripts_words(outline: MigrationOutline) -> str:
    """How many scripts are not named; empty where all are."""
    count = len(outline.scripts) - len(shown_scripts(outline))
    return f"{counted(count, 'script')} that the base branch has already" if count else ""


def script_words(row: ScriptRow) -> str:
    """``phase contract, 1 statement, after the services``."""
    parts = [f"phase {row.phase}", counted(row.statements, "statement")]
    parts += [f"in batches of {row.batch}"] if row.batch else []
    parts += [row.when] if row.when else []
    parts += ["merged earlier, not delivered yet"] if row.is_pending else []
    return ", ".join(parts)


def effect_words(finding: SafetyFinding) -> str:
    """``takes SHARE, which blocks writes; reads every row``; empty where nothing is known of it."""
    parts = [f"takes {finding.lock}, which blocks {finding.blocks}"] if finding.lock else []
    parts += ["writes the table anew"] if finding.rewrites else []
    parts += ["reads every row"] if finding.scans else []
    if finding.lock and not finding.rewrites:
        parts.append("does not write the table anew")
    return "; ".join(parts)


def safe_way(outline: MigrationOutline, finding: SafetyFinding) -> str:
    """How to write it instead; empty where it is written so already: as a script of the phase contract."""
    phases = {row.file: row.phase for row in outline.scripts}
    is_so = phases.get(finding.file) == "contract" and finding.safe_way.startswith(_IN_CONTRACT)
    return "" if is_so and not finding.is_blocking else finding.safe_way


def table_words(outline: MigrationOutline, finding: SafetyFinding) -> list[str]:
    """What is known of each table that a finding is about."""
    known = {one.table: one for one in outline.tables}
    return [_rows(known[one.table]) if one.table in known else _unsized(outline, one) for one in finding.tables]


def waiver_words(finding: SafetyFinding) -> str:
    """Who answers for it, and until when; empty without a waiver."""
    waiver = finding.waiver
    if waiver is None:
        return ""
    if finding.is_waiver_expired:
        return f"the waiver has expired on {waiver.expires}, by {waiver.owner}: {waiver.reason}"
    return f"waived until {waiver.expires}, by {waiver.owner}: {waiver.reason}"


def state_words(finding: SafetyFinding) -> str:
    """``blocks``, ``waived`` or ``warns``."""
    if finding.is_blocking:
        return "blocks"
    return "waived" if finding.waiver is not None and not finding.is_waiver_expired else "warns"


def unknown_words(outline: MigrationOutline) -> str:
    """Why sizes are not known; empty where they are."""
    if not outline.rows_unknown:
        return ""
    more = len(outline.rows_unknown) - 1
    rest = f" (and {counted(more, 'more reason')})" if more else ""
    count = len(outline.targets)
    part = f" of {count - outline.asked:,} of {counted(count, 'database')}" if outline.asked else ""
    return f"row counts unknown{part}: {outline.rows_unknown[0]}{rest}"


def duration_words(outline: MigrationOutline) -> str:
    """How long it takes, by sizes and by what was seen before; empty where that is no question."""
    if not outline.is_applied or outline.is_new:
        return ""
    by_size = _by_size(outline.duration, len(outline.targets))
    past = outline.duration.past
    if past is None:
        return by_size
    most = f", at most {duration(past.longest_seconds)}" if past.runs > 1 else ""
    seen = f"took {duration(past.median_seconds)}{most} in {', '.join(past.environments)} ({counted(past.runs, 'run')})"
    return f"{by_size}; the same way {seen}"


def backup_words(backup: BackupOutline) -> str:
    """The strategy, why, and how long a restore takes."""
    told = f"{_STRATEGIES[backup.strategy]}: {backup.reason}"
    if backup.restore_seconds is None:
        return f"{told}; how long a restore takes is not known"
    made = f"{duration(backup.backup_seconds)} to make, " if backup.strategy != "down_script" else ""
    return f"{told}; {made}{duration(backup.restore_seconds)} to restore {backup.database}"


def loss_words(outline: MigrationOutline, loss: DataLoss) -> str:
    """What goes for good, in how many databases, and how it would be had back."""
    in_all = f" in {counted(len(outline.targets), 'database')}" if outline.is_applied else ""
    backup = outline.backup
    kept = (
        f"; kept in {_STRATEGIES[backup.strategy]}" if backup is not None and backup.strategy != "down_script" else ""
    )
    earlier = " (merged earlier, not delivered yet)" if loss.is_pending else ""
    return f"{loss.what}{in_all}{kept}{earlier}"


def migrates_words(reports: Iterable[EnvironmentReport]) -> list[str]:
    """``migrates 8 databases, loses data in 1 place of their scripts``; nothing where nothing migrates."""
    outlines = [one for report in reports for one in report.migrations]
    made = sum(len(one.targets) for one in outlines if one.is_new)
    databases = sum(len(one.targets) for one in outlines) - made
    losses = [loss for one in outlines for loss in one.losses]
    dropped = sum(one.kind == "loses-data" for one in losses)
    stuck = len(losses) - dropped
    parts = [f"migrates {counted(databases, 'database')}"] if databases else []
    parts += [f"makes {counted(made, 'database')}"] if made else []
    parts += [f"loses data in {counted(dropped, 'place')} of database scripts"] if dropped else []
    parts += [f"{counted(stuck, 'database script')} cannot be taken back"] if stuck else []
    return [", ".join(parts)] if parts else []


def _rows(table: TableRows) -> str:
    if table.rows is None:
        return f"{table.table} (rows not counted by the server, {_size(table.bytes)})"
    inside = f"about {counted(table.rows, 'row')}, {_size(table.bytes)}"
    if table.databases == 1:
        return f"{table.table} ({inside})"
    total = f", about {counted(table.all_rows, 'row')}" if table.all_rows is not None else ""
    return f"{table.table} ({inside} where it is largest{total} in {counted(table.databases, 'database')})"


def _unsized(outline: MigrationOutline, table: TableAtStake) -> str:
    is_asked = outline.is_applied and not outline.rows_unknown and not outline.is_new
    return f"{table.table} (not there yet)" if is_asked else f"{table.table} (rows not known)"


def _size(count_bytes: int | None) -> str:
    return f"{(count_bytes or 0) / 1_000_000:,.1f} MB"


def _by_size(found: DurationOutline, databases: int) -> str:
    if found.seconds is None or found.all_seconds is None:
        return "how long it takes is not known"
    if found.all_seconds < _SOON_SECONDS:
        return "writing and reading tables takes less than a second"
    if databases == 1:
        return f"writing and reading tables takes about {duration(found.seconds)}"
    return (
        f"writing and reading tables takes about {duration(found.seconds)} in the largest, "
        f"{duration(found.all_seconds)} in all ({found.at_once} side by side)"
    )
