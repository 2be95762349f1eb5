"""What scripts take away for good: rows and columns that are dropped, and versions that nothing takes back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pipelines.preview.migrations.report import DataLoss
from policies.migrations.made_tables import MadeTables, replaces_table
from policies.migrations.model import Direction, Migration, MigrationPlan, Script, Statement
from policies.migrations.spec import Engine
from policies.migrations.statements import actions, names

# What follows DROP in ALTER TABLE and is no column: reserved words, which no column is called without quotation marks.
_NO_COLUMN = frozenset({"CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "EXPRESSION", "IDENTITY"})
_BEFORE_A_COLUMN = frozenset({"COLUMN", "IF", "EXISTS"})


def losses_of(plan: MigrationPlan, engine: Engine, proposed: Collection[str]) -> Iterator[DataLoss]:
    """Everything of ``plan`` that is gone or stays; what is not ``proposed`` was merged before."""
    made = MadeTables(engine)
    for migration in plan.migrations:
        script = migration.script(plan.direction)
        if script is None:
            continue
        yield from _of_migration(migration, script, plan.direction, is_pending=script.file not in proposed)
        for statement in script.statements:
            what = _lost(statement, engine, made)
            made.see(statement)
            if what:
                is_pending = script.file not in proposed
                yield DataLoss(
                    file=script.file, line=statement.line, what=what, kind="loses-data", is_pending=is_pending
                )


def _of_migration(
    migration: Migration, script: Script, direction: Direction, *, is_pending: bool
) -> Iterator[DataLoss]:
    if direction == "up" and migration.down is None:
        what = f"no script takes it back ({script.header.irreversible})"
        yield DataLoss(file=script.file, line=0, what=what, kind="no-way-back", is_pending=is_pending)


def _lost(statement: Statement, engine: Engine, made: MadeTables) -> str:
    """What goes with the statement; empty where no row and no value does. Tables ``made`` before hold nothing."""
    words = statement.words
    if words[:2] == ("DROP", "TABLE"):
        return _with_rows("drops the table", statement, names(words[2:], engine), made)
    if replaces_table(statement):
        return _with_rows("replaces the table", statement, names(words[4:], engine)[:1], made)
    if words[:1] == ("TRUNCATE",):
        return _with_rows("empties the table", statement, names(words[1:], engine), made)
    if words[:1] == ("DELETE",):
        return _with_rows("deletes rows of", statement, names(words[1:], engine)[:1], made)
    if words[:2] == ("ALTER", "TABLE"):
        return _columns(statement, engine, made)
    if words[:1] == ("DROP",) and words[1:2] in (("SCHEMA",), ("DATABASE",)):
        return f"drops a whole {words[1].lower()}"
    return ""


def _with_rows(verb: str, statement: Statement, tables: Collection[str], made: MadeTables) -> str:
    known = [one for one in tables if not made.has_all(statement, (one,))]
    return f"{verb} {', '.join(known)}" if known or not tables else ""


def _columns(statement: Statement, engine: Engine, made: MadeTables) -> str:
    words = statement.words
    (table, *_) = names(words[2:], engine) or ("",)
    if made.has_all(statement, (table,)):
        return ""
    dropped = [_column(one) for one in actions(words, engine) if one[:1] == ("DROP",) and one[1:2] != ()]
    known = [one for one in dropped if one]
    noun = "column" if len(known) == 1 else "columns"
    return f"drops the {noun} {', '.join(known)} of {table}" if known else ""


def _column(action: tuple[str, ...]) -> str:
    """The column that an action drops, as it is written but for its case; empty for what is no column."""
    if action[1] in _NO_COLUMN:
        return ""
    rest = [word for word in action[1:] if word not in _BEFORE_A_COLUMN]
    return (rest[0].strip('"`') if rest[0][0] in '"`' else rest[0].lower()) if rest else ""
