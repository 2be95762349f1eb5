"""Findings × sizes of tables × waivers × the day → what blocks. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from policies.checkov.catalogue import SEVERITIES
from policies.checkov.findings import Severity
from policies.checkov.policy_rules import MAX_WAIVER_DAYS
from policies.migrations.batches import batch_key
from policies.migrations.model import MigrationPlan, SafetyCheck
from policies.migrations.safety.catalogue import CHECKS
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver, Statistics, TableAtStake
from policies.migrations.safety.weighing import has_unweighed

BLOCK_FROM: Severity = "high"
FEW_ROWS = 10_000
WRITE_BYTES_PER_SECOND = 50_000_000
READ_BYTES_PER_SECOND = 200_000_000
# A table of so many bytes in which the server counts no row was never counted.
UNCOUNTED_BYTES = 1_000_000
_NO_SIZES = Statistics()


def judge(
    findings: Iterable[SafetyFinding],
    plan: MigrationPlan,
    statistics: Statistics,
    waivers: Sequence[ScriptWaiver],
    *,
    environment: str,
    today: date,
) -> tuple[SafetyFinding, ...]:
    """Every finding with its tables' sizes, whether it blocks and who answers for it; what blocks comes first."""
    phases = {one.up.file: one.up.header.phase for one in plan.migrations}
    judged = [
        _waived(_sized(_phased(found, phases.get(found.file, "")), statistics), waivers, environment, today)
        for found in findings
    ]
    return tuple(sorted(judged, key=_order))


def estimated_seconds(findings: Sequence[SafetyFinding]) -> float | None:
    """How long rewriting and reading the tables at stake takes, in seconds; None where a size is not known."""
    seconds = 0.0
    counted: set[tuple[str, int, str]] = set()
    for found in findings:
        for table in found.tables if found.rewrites or found.scans else ():
            if table.bytes is None:
                return None
            place = (found.file, found.line, table.table)
            if place not in counted:
                counted.add(place)
                seconds += table.bytes / (WRITE_BYTES_PER_SECOND if found.rewrites else READ_BYTES_PER_SECOND)
    return seconds


def batched_seconds(plan: MigrationPlan, statistics: Statistics) -> float | None:
    """How long the scripts that run in batches take, pauses included; None where a size is not known."""
    seconds = 0.0
    scripts = (one.script(plan.direction) for one in plan.migrations)
    for header in (script.header for script in scripts if script is not None):
        key = batch_key(header)
        if key is None:
            continue
        table = statistics.tables.get(key.table)
        if table is None or table.rows is None or table.bytes is None:
            return None
        batches = math.ceil(table.rows / header.batch_rows)
        seconds += table.bytes / WRITE_BYTES_PER_SECOND + batches * header.pause_ms / 1000
    return seconds


def with_checks(
    plan: MigrationPlan, findings: Sequence[SafetyFinding], statistics: Statistics = _NO_SIZES
) -> MigrationPlan:
    """The plan with the sums of its findings and, where that can be weighed by known sizes, how long it takes."""
    files = [script.file for one in plan.migrations if (script := one.script(plan.direction)) is not None]
    checks = tuple(
        SafetyCheck(
            file=file,
            blocking=sum(found.is_blocking for found in findings if found.file == file),
            warnings=sum(not found.is_blocking for found in findings if found.file == file),
        )
        for file in files
    )
    parts = (estimated_seconds(findings), batched_seconds(plan, statistics))
    is_known = None not in parts and not has_unweighed(plan, findings)
    seconds = sum(one for one in parts if one is not None) if is_known else None
    return msgspec.structs.replace(plan, safety_checks=checks, estimated_duration_seconds=seconds)


def _phased(found: SafetyFinding, phase: str) -> SafetyFinding:
    """What breaks clients of the old schema is the purpose of a contract script, which says whom it requires."""
    check = CHECKS.get(found.check)
    if check is not None and check.is_about_clients and phase == "contract":
        return msgspec.structs.replace(found, severity="low")
    return found


def _sized(found: SafetyFinding, statistics: Statistics) -> SafetyFinding:
    tables = tuple(statistics.tables.get(one.table, one) for one in found.tables)
    check = CHECKS.get(found.check)
    is_small = bool(tables) and all(one.rows is not None and one.rows < FEW_ROWS for one in tables)
    if check is not None and check.is_about_size and is_small:
        return msgspec.structs.replace(found, tables=tables, severity="low")
    return msgspec.structs.replace(found, tables=tables)


def _waived(found: SafetyFinding, waivers: Sequence[ScriptWaiver], environment: str, today: date) -> SafetyFinding:
    matching = [one for one in waivers if _covers(one, found, environment)]
    waiver = max(matching, key=lambda one: one.expires, default=None)
    expired = waiver is not None and date.fromisoformat(waiver.expires) < today
    is_severe = SEVERITIES.index(found.severity) >= SEVERITIES.index(BLOCK_FROM)
    return msgspec.structs.replace(
        found,
        is_blocking=is_severe and (waiver is None or expired),
        waiver=waiver,
        is_waiver_expired=expired,
    )


def _covers(waiver: ScriptWaiver, found: SafetyFinding, environment: str) -> bool:
    is_script = (
        found.file.startswith(waiver.script[:-1]) if waiver.script.endswith("*") else waiver.script == found.file
    )
    return waiver.check == found.check and is_script and waiver.environment in ("", environment)


def wrong_waiver(waiver: ScriptWaiver, committed_on: date) -> str | None:
    """What is wrong with a waiver of a commit made on that day; None when nothing is."""
    try:
        last_day = date.fromisoformat(waiver.expires)
    except ValueError:
        return f"{waiver.expires!r} is no day; write YYYY-MM-DD"
    if last_day > committed_on + timedelta(days=MAX_WAIVER_DAYS):
        return f"{waiver.expires} is more than a year after the commit of {committed_on}"
    if not waiver.owner.strip() or not waiver.reason.strip():
        return "a waiver has an owner and a reason"
    if waiver.check not in CHECKS and not waiver.check.startswith("pg."):
        return f"there is no check {waiver.check}"
    return None


def statistics_of(sizes: Iterable[TableAtStake], server_version: str = "") -> Statistics:
    """Sizes by the name of their table."""
    return Statistics(tables={one.table: one for one in sizes}, server_version=server_version)


def counted_tables(sizes: Iterable[TableAtStake]) -> list[TableAtStake]:
    """``sizes`` in which a table that was never counted has no rows that anybody knows."""
    return [
        msgspec.structs.replace(one, rows=None) if not one.rows and (one.bytes or 0) > UNCOUNTED_BYTES else one
        for one in sizes
    ]


def _order(found: SafetyFinding) -> tuple[bool, int, str, int, str]:
    return not found.is_blocking, -SEVERITIES.index(found.severity), found.file, found.line, found.check
