"""What was found out about a change of a database's schema → its outline in the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import msgspec

from pipelines.preview.migrations.changes import SchemaChange
from pipelines.preview.migrations.losses import losses_of
from pipelines.preview.migrations.report import (
    BackupOutline,
    DurationOutline,
    MigrationOutline,
    PastRuns,
    ScriptRow,
    TableRows,
    When,
)
from pipelines.preview.migrations.sql import masked
from policies.migrations.model import MigrationPlan
from policies.migrations.safety.findings import SafetyFinding, Statistics, TableAtStake
from policies.migrations.safety.judging import with_checks
from policies.migrations.sql_values import without_values


@dataclass(frozen=True)
class Asked:
    """What the databases of one change say: sizes by target, how many are worked at side by side.

    ``unknown`` says why some or all were not asked.
    """

    statistics: Mapping[str, Statistics] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    at_once: int = 1
    backup: BackupOutline | None = None


def worst(change: SchemaChange, asked: Asked) -> Statistics:
    """The sizes that findings are judged by: of each table where it is largest; none unless all databases were asked.

    The version is the oldest of their servers.
    """
    version = min((one.server_version for one in asked.statistics.values()), key=_version_key, default="")
    if not change.asked or any(one.id not in asked.statistics for one in change.asked):
        return Statistics(server_version=version)
    names = {name for one in asked.statistics.values() for name in one.tables}
    tables = {name: _largest(name, asked) for name in sorted(names)}
    return Statistics(tables=tables, server_version=version)


def largest_target(asked: Asked, tables: Sequence[str]) -> str:
    """The id of the database in which ``tables`` (all where none is named) take most room; empty without any."""
    sizes = {
        target: sum(one.bytes or 0 for name, one in known.tables.items() if name in tables or not tables)
        for target, known in sorted(asked.statistics.items())
    }
    return max(sizes, key=lambda target: sizes[target], default="")


def outline(
    change: SchemaChange,
    asked: Asked,
    findings: Sequence[SafetyFinding] | None,
    runs: Sequence[tuple[str, float]] = (),
) -> MigrationOutline:
    """What a reviewer is told of ``change``; ``findings`` are None where the checks could not say.

    ``runs`` are environments and seconds of the same way before.
    """
    plan, engine = change.plan, change.scripts.engine
    own = [masked(one, plan, engine) for one in findings or () if one.file in change.proposed]
    losses = () if change.is_new else tuple(losses_of(plan, engine, change.proposed))
    return MigrationOutline(
        database=plan.database,
        engine=engine,
        direction=plan.direction,
        from_version=plan.from_version,
        to_version=plan.to_version,
        servers=tuple(sorted({one.server for one in change.targets})),
        targets=tuple(one.id for one in change.targets),
        tenants=len({tenant for one in change.targets for tenant in one.tenants}),
        is_new=change.is_new,
        scripts=tuple(_script_rows(change)),
        findings=tuple(own),
        tables=tuple(_table_rows(own, asked)),
        asked=len(asked.statistics),
        rows_unknown=asked.unknown,
        losses=losses,
        backup=_shown_backup(change, asked.backup),
        duration=_duration(change, asked, findings, runs),
    )


def _largest(name: str, asked: Asked) -> TableAtStake:
    found = [known.tables[name] for known in asked.statistics.values() if name in known.tables]
    rows = None if any(one.rows is None for one in found) else max((one.rows or 0 for one in found), default=0)
    return TableAtStake(table=name, rows=rows, bytes=max((one.bytes or 0 for one in found), default=0))


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _script_rows(change: SchemaChange) -> Iterable[ScriptRow]:
    for one in change.plan.migrations:
        script = one.script(change.plan.direction)
        if script is not None:
            yield ScriptRow(
                file=script.file,
                version=one.version,
                phase=one.up.header.phase,
                statements=len(script.statements),
                batch=f"{script.header.batch_rows:,} by {script.header.batch}" if script.header.batch else "",
                when=_when(change, one.version),
                is_pending=script.file not in change.proposed,
            )


def _when(change: SchemaChange, version: int) -> When:
    middle = change.before_services
    if middle is None:
        return ""
    is_first = version <= middle if change.plan.direction == "up" else version > middle
    return "before the services" if is_first else "after the services"


def _table_rows(findings: Sequence[SafetyFinding], asked: Asked) -> Iterable[TableRows]:
    for name in dict.fromkeys(table.table for found in findings for table in found.tables):
        known = [one.tables[name] for one in asked.statistics.values() if name in one.tables]
        if known:
            largest, rows = _largest(name, asked), [one.rows for one in known]
            counted = [one for one in rows if one is not None]
            yield TableRows(
                table=name,
                rows=largest.rows,
                bytes=largest.bytes,
                all_rows=sum(counted) if len(counted) == len(rows) else None,
                databases=len(known),
            )


def _shown_backup(change: SchemaChange, backup: BackupOutline | None) -> BackupOutline | None:
    """A reason may quote a statement."""
    if backup is None or change.is_new:
        return None
    return msgspec.structs.replace(backup, reason=without_values(backup.reason, change.scripts.engine))


def _duration(
    change: SchemaChange, asked: Asked, findings: Sequence[SafetyFinding] | None, runs: Sequence[tuple[str, float]]
) -> DurationOutline:
    each = [_seconds(change.plan, findings, asked.statistics.get(one.id)) for one in change.asked]
    known = [one for one in each if one is not None]
    is_known = bool(each) and len(known) == len(each)
    return DurationOutline(
        seconds=max(known) if is_known else None,
        all_seconds=max(sum(known) / asked.at_once, *known) if is_known else None,
        at_once=asked.at_once,
        past=_past(runs),
    )


def _seconds(
    plan: MigrationPlan, findings: Sequence[SafetyFinding] | None, statistics: Statistics | None
) -> float | None:
    """How long one database takes by its own sizes."""
    if statistics is None or findings is None:
        return None
    sized = [msgspec.structs.replace(one, tables=_there(one, statistics)) for one in findings]
    return with_checks(plan, sized, statistics).estimated_duration_seconds


def _there(finding: SafetyFinding, statistics: Statistics) -> tuple[TableAtStake, ...]:
    """The tables of a finding as one database has them: what is not there takes no time."""
    missing = (TableAtStake(table=one.table, rows=0, bytes=0) for one in finding.tables)
    return tuple(statistics.tables.get(one.table, one) for one in missing)


def _past(runs: Sequence[tuple[str, float]]) -> PastRuns | None:
    if not runs:
        return None
    seconds = [one for _, one in runs]
    return PastRuns(
        environments=tuple(sorted({name for name, _ in runs})),
        runs=len(runs),
        median_seconds=median(seconds),
        longest_seconds=max(seconds),
    )
