"""Which statements of a plan take time that nobody has weighed: no finding says what they write or read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.migrations.made_tables import MadeTables
from policies.migrations.model import MigrationPlan, Statement
from policies.migrations.safety.findings import SafetyFinding
from policies.migrations.safety.mysql import said
from policies.migrations.safety.postgresql import effect_of, shown
from policies.migrations.spec import Engine
from policies.migrations.statements import names

# What they write or read, or what they call, is not told by their words.
_WORK = frozenset({"UPDATE", "DELETE", "MERGE", "WITH", "SELECT", "DO", "CALL", "REFRESH", "REINDEX", "VACUUM", "LOAD"})
_QUERIES = frozenset({"SELECT", "EXECUTE", "TABLE"})


def has_unweighed(plan: MigrationPlan, findings: Sequence[SafetyFinding]) -> bool:
    """Whether a statement outside of batches works through a table, and no finding weighs it by that table's size.

    Tables that the plan makes are taken as empty.
    """
    weighed = {(one.file, one.line, one.statement) for one in findings if one.tables and (one.rewrites or one.scans)}
    for file, statement, is_in_batches, made in _with_what_was_made(plan):
        is_open = not is_in_batches and _works(statement, plan.migrations[0].engine, made)
        if is_open and (file, statement.line, shown(statement)) not in weighed:
            return True
    return False


def _with_what_was_made(plan: MigrationPlan) -> Iterator[tuple[str, Statement, bool, MadeTables]]:
    """Every statement: its script, itself, whether it runs in batches, and the tables that were made before it."""
    made = MadeTables(plan.migrations[0].engine) if plan.migrations else MadeTables("postgresql")
    scripts = (one.script(plan.direction) for one in plan.migrations)
    for script in (one for one in scripts if one is not None):
        for statement in script.statements:
            yield script.file, statement, bool(script.header.batch), made
            made.see(statement)


def _works(statement: Statement, engine: Engine, made: MadeTables) -> bool:
    """Whether it takes the longer the more rows there are."""
    words = statement.words
    if words[0] in _WORK:
        return True
    if words[0] in ("INSERT", "REPLACE"):
        return not _QUERIES.isdisjoint(words[1:])
    if words[0] == "CREATE" and not {"TABLE", "MATERIALIZED"}.isdisjoint(words[1:4]):
        return not _QUERIES.isdisjoint(words[4:])
    if words[:2] == ("ALTER", "TABLE") and made.has_all(statement, names(words[2:], engine)[:1]):
        return False
    if engine == "mysql":
        is_index = words[0] == "CREATE" and "INDEX" in words[1:3]
        is_altered = words[:2] == ("ALTER", "TABLE") and said(words, "ALGORITHM") != "INSTANT"
        indexed = names(words[words.index("ON") + 1 :], engine)[:1] if is_index and "ON" in words else ()
        return is_altered or (is_index and not made.has_all(statement, indexed))
    effect = effect_of(statement)
    return (effect.rewrites or effect.scans) and not made.has_all(statement, effect.tables)
