"""A plan → what is unsafe in it: squawk for PostgreSQL, sqlglot for MySQL, judged by sizes and waivers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from policies.migrations.made_tables import MadeTables
from policies.migrations.model import MigrationPlan, ScriptSet
from policies.migrations.safety import mysql, postgresql
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver, Statistics
from policies.migrations.safety.judging import judge
from workflows.migrations.squawk import check_scripts


def check_plan(
    scripts: ScriptSet,
    plan: MigrationPlan,
    statistics: Statistics,
    waivers: Sequence[ScriptWaiver],
    *,
    environment: str,
    today: date,
) -> tuple[SafetyFinding, ...]:
    """Everything that is found in the scripts of ``plan``, what blocks first. Raises SquawkFailed."""
    found = _postgresql(plan, statistics) if scripts.engine == "postgresql" else _mysql(scripts, plan)
    return judge(found, plan, statistics, waivers, environment=environment, today=today)


def _postgresql(plan: MigrationPlan, statistics: Statistics) -> Iterator[SafetyFinding]:
    chosen = [script for one in plan.migrations if (script := one.script(plan.direction)) is not None]
    violations = check_scripts(chosen, statistics.server_version)
    made = MadeTables("postgresql")
    for script in chosen:
        yield from postgresql.findings_of(script, plan.direction, violations[script.file], made)


def _mysql(scripts: ScriptSet, plan: MigrationPlan) -> Iterator[SafetyFinding]:
    made = MadeTables("mysql")
    for one in plan.migrations:
        script = one.script(plan.direction)
        if script is not None:
            yield from mysql.findings_of(script, plan.direction, scripts.between(0, one.version - 1), made)
