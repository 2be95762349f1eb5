"""`adx migrate plan` and `verify`: what is pending, what is unsafe, what cannot be taken back."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.output import plain
from pipelines.words import counted, duration
from policies.migrations.catalog import lines
from policies.migrations.safety.findings import SafetyFinding, TableAtStake
from workflows.migrations.models import MigrationProof, Proof
from workflows.migrations.planning import PlannedDatabase

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}
_WORDS = {
    "proved": ("✓", "green", "up, down and up again"),
    "irreversible": ("✓", "yellow", "applied; declared irreversible"),
    "up-failed": ("✗", "red", "the up script fails"),
    "down-failed": ("✗", "red", "the down script fails"),
    "up-again-failed": ("✗", "red", "the up script fails after the down script"),
    "not-undone": ("✗", "red", "the down script does not undo it"),
    "not-repeated": ("✗", "red", "the second up makes another schema"),
}


def plan_screen(found: Sequence[PlannedDatabase]) -> RenderableType:
    """Every database of every environment: what is pending, then each finding, then the sum."""
    if not found:
        return plain("No environment declares a database (environments/<env>/migrations.yaml).")
    parts: list[RenderableType] = []
    for one in found:
        parts += [_heading(one), *_pending(one)]
        for finding in one.findings:
            parts += [Text(), *_finding(finding)]
        parts.append(Text())
    parts.append(_sum(found))
    return Group(*parts)


def proof_screen(proof: Proof) -> RenderableType:
    """Every migration with what was proved; differences below."""
    parts: list[RenderableType] = [
        Text.assemble(plain(proof.database, "bold"), plain(f"  on a scratch database at {proof.server}", "dim"))
    ]
    for one in proof.migrations:
        parts += _proved(one)
    if not proof.migrations:
        parts.append(plain("  there is nothing to prove"))
    elif proof.is_proved:
        parts.append(plain(f"{counted(len(proof.migrations), 'migration')} proved", "green"))
    else:
        parts.append(plain("not proved; what comes after it was not tried", "bold red"))
    return Group(*parts)


def _heading(one: PlannedDatabase) -> Text:
    plan = one.plan
    way = f"version {plan.from_version} → {plan.to_version}" if plan.migrations else f"version {plan.to_version}"
    return Text.assemble(
        plain(f"{one.environment}  {one.database}", "bold"),
        plain(f"  {way}"),
        plain(f"  (applied: {one.compared_with})", "dim"),
    )


def _pending(one: PlannedDatabase) -> list[RenderableType]:
    if not one.plan.migrations:
        return [plain("  nothing is pending", "dim")]
    parts: list[RenderableType] = []
    for migration in one.plan.migrations:
        script = migration.script(one.plan.direction)
        header = migration.up.header
        notes: list[str] = [one.plan.direction, header.phase]
        if script is not None:
            notes.append(counted(len(script.statements), "statement"))
        if script is not None and script.header.batch:
            notes.append(f"in batches of {script.header.batch_rows:,} by {script.header.batch}")
        if migration.down is None:
            notes.append("irreversible")
        parts.append(Text.assemble(plain(f"  {migration.id.partition('/')[2]}"), plain(f"  {', '.join(notes)}", "dim")))
    seconds = one.plan.estimated_duration_seconds
    if seconds is None:
        parts.append(
            plain("  how long it takes is not known: by sizes (--url), where statements can be weighed", "dim")
        )
    elif seconds:
        parts.append(plain(f"  rewriting, reading and filling tables takes about {duration(seconds)}", "dim"))
    return parts


def _finding(found: SafetyFinding) -> list[RenderableType]:
    is_waived = found.waiver is not None and not found.is_waiver_expired
    mark = "✗ blocks" if found.is_blocking else "· waived" if is_waived else "· warns"
    parts: list[RenderableType] = [
        Text.assemble((mark, _STYLES[found.severity]), f"  {found.severity}  ", plain(found.title, "bold")),
        plain(f"  {found.file}:{found.line}  [{found.check}]", "cyan"),
        plain(f"  {found.statement}"),
    ]
    if found.detail:
        parts.append(plain(f"  {found.detail}"))
    if found.lock:
        does = [
            word for word, holds in (("rewrites the table", found.rewrites), ("reads every row", found.scans)) if holds
        ]
        parts.append(plain(f"  takes {found.lock}, blocks {found.blocks}{''.join(f'; {one}' for one in does)}"))
    if found.tables:
        parts.append(plain(f"  at stake: {', '.join(map(_table, found.tables))}"))
    parts.append(plain(f"  instead: {found.safe_way}"))
    if found.waiver is not None:
        state = "expired" if found.is_waiver_expired else "holds until"
        told = f"  waiver {state} {found.waiver.expires}, {found.waiver.owner}: {found.waiver.reason}"
        parts.append(plain(told, "dim"))
    return parts


def _table(table: TableAtStake) -> str:
    if table.rows is None:
        return f"{table.table} (size not known)"
    megabytes = (table.bytes or 0) / 1_000_000
    return f"{table.table} (about {table.rows:,} rows, {megabytes:,.1f} MB)"


def _sum(found: Sequence[PlannedDatabase]) -> Text:
    findings = [one for planned in found for one in planned.findings]
    blocking = sum(one.is_blocking for one in findings)
    pending = sum(len(one.plan.migrations) for one in found)
    text = f"{counted(pending, 'migration')} pending, {counted(blocking, 'finding')} blocking, {len(findings)} in all"
    return plain(text, "bold red" if blocking else "green")


def _proved(one: MigrationProof) -> list[RenderableType]:
    mark, style, words = _WORDS[one.verdict]
    parts: list[RenderableType] = [
        Text.assemble((f"  {mark} ", style), plain(one.migration.partition("/")[2]), plain(f"  {words}", style))
    ]
    if one.error:
        parts.append(plain(f"    {one.error}", "red"))
    for found in one.differences:
        if found.is_order_only:
            parts.append(plain(f"    the columns of {found.object} stand in another order", "dim"))
    parts += [
        plain(f"    {line}") for line in lines(tuple(found for found in one.differences if not found.is_order_only))
    ]
    return parts
