"""The statement of a finding as anybody may read it. Pure."""

from __future__ import annotations

import msgspec

from policies.migrations.model import MigrationPlan
from policies.migrations.safety.findings import SafetyFinding
from policies.migrations.safety.postgresql import shown, statement_at
from policies.migrations.spec import Engine
from policies.migrations.sql_values import without_values


def masked(finding: SafetyFinding, plan: MigrationPlan, engine: Engine) -> SafetyFinding:
    """``finding`` with its statement as anybody may read it: masked whole, then cut as it was."""
    scripts = (one.script(plan.direction) for one in plan.migrations)
    script = next((one for one in scripts if one is not None and one.file == finding.file), None)
    if script is None:
        return msgspec.structs.replace(finding, statement=without_values(finding.statement, engine))
    begun_there = [one for one in script.statements if one.line == finding.line]
    quoted = next((one for one in begun_there if shown(one) == finding.statement), None)
    statement = quoted or statement_at(script, finding.line)
    text = without_values(statement.text, engine)
    return msgspec.structs.replace(finding, statement=shown(msgspec.structs.replace(statement, text=text)))
