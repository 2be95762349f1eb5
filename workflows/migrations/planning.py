"""What an environment's declared versions mean for one database: the plan and what is unsafe in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from policies.migrations.history import AppliedMigration, SchemaVersion, plan_migration
from policies.migrations.model import MigrationPlan, ScriptSet
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver, Statistics, TableAtStake
from policies.migrations.safety.judging import counted_tables, statistics_of, with_checks
from policies.spec import Spec
from workflows.clients.databases import Database
from workflows.migrations.checking import check_plan


class PlannedDatabase(Spec):
    """One database of one environment; ``compared_with`` says where the applied versions come from."""

    environment: str
    database: str
    compared_with: str
    plan: MigrationPlan
    findings: tuple[SafetyFinding, ...]

    @property
    def is_blocking(self) -> bool:
        """Whether any finding blocks."""
        return any(one.is_blocking for one in self.findings)


def as_declared(scripts: ScriptSet | None, version: int) -> SchemaVersion:
    """The record of a schema that has ``version`` of ``scripts``: what is applied where nobody can be asked."""
    applied = tuple(
        AppliedMigration(
            version=one.version,
            description=one.description,
            checksum=one.checksum,
            state="applied",
            applied_at="(declared)",
        )
        for one in (scripts.between(0, version) if scripts is not None else ())
    )
    return SchemaVersion(version=version if applied else 0, applied=applied)


async def statistics(database: Database) -> Statistics:
    """Sizes of tables and the server's version, from the server itself."""
    sizes = await database.table_sizes()
    found = [TableAtStake(table=one.table, rows=one.rows, bytes=one.bytes) for one in sizes]
    return statistics_of(counted_tables(found), await database.server_version())


def planned(
    environment: str,
    scripts: ScriptSet,
    recorded: SchemaVersion,
    target: int,
    *,
    compared_with: str,
    sizes: Statistics,
    waivers: Sequence[ScriptWaiver],
    today: date,
) -> PlannedDatabase:
    """The plan with its findings. Raises HistoryDiffers, SquawkFailed."""
    plan = plan_migration(scripts, recorded, target)
    findings = check_plan(scripts, plan, sizes, waivers, environment=environment, today=today)
    return PlannedDatabase(
        environment=environment,
        database=scripts.database,
        compared_with=compared_with,
        plan=with_checks(plan, findings, sizes),
        findings=findings,
    )
