"""SQL as anybody may read it: what stands between quotation marks is data, and may be a password. Pure."""

from __future__ import annotations

import msgspec

from policies.masking import MASK
from policies.migrations.lexer import LexError, tokens
from policies.migrations.model import MigrationPlan
from policies.migrations.safety.findings import SafetyFinding
from policies.migrations.safety.postgresql import shown, statement_at
from policies.migrations.spec import Engine


def without_values(text: str, engine: Engine) -> str:
    """``text`` with every string masked; from a string that does not end on, all of it."""
    parts: list[str] = []
    try:
        for token in tokens(text, engine):
            piece = text[token.start : token.end]
            parts.append(f"'{MASK}'" if token.kind == "string" and len(piece) > len("''") else piece)
    except LexError:
        parts.append(MASK)
    return "".join(parts)


def masked(finding: SafetyFinding, plan: MigrationPlan, engine: Engine) -> SafetyFinding:
    """``finding`` with its statement as anybody may read it: masked whole, then cut as it was."""
    scripts = (one.script(plan.direction) for one in plan.migrations)
    script = next((one for one in scripts if one is not None and one.file == finding.file), None)
    if script is None:
        return msgspec.structs.replace(finding, statement=without_values(finding.statement, engine))
    statement = statement_at(script, finding.line)
    text = without_values(statement.text, engine)
    return msgspec.structs.replace(finding, statement=shown(msgspec.structs.replace(statement, text=text)))
