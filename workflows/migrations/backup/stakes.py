"""A plan → which tables' rows it may change or lose, from the words of its statements. Pure.

A short list says what leaves every row as it is; a statement that is on no list
may do anything, and then every table is at stake. Undoing counts too: an undo
script that writes rows changes what a restore has to bring back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from policies.migrations.model import Direction, MigrationPlan, Script, Statement
from policies.migrations.spec import Engine
from policies.migrations.sql_values import without_values
from policies.migrations.statements import actions, names
from policies.spec import Spec
from workflows.migrations.backup.sequences import loses_position, restarts

_SHAPE_ONLY = frozenset(
    {"INDEX", "VIEW", "SEQUENCE", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "TRIGGER", "POLICY", "STATISTICS"}
)
_QUALIFIERS = frozenset({"OR", "REPLACE", "UNIQUE", "CONCURRENTLY", "UNLOGGED", "FULLTEXT", "SPATIAL", "ALGORITHM"})
_HARMLESS = frozenset({"COMMENT", "GRANT", "REVOKE", "ANALYZE"})
_HARMLESS_ACTIONS = frozenset(
    {"ADD", "VALIDATE", "ENABLE", "DISABLE", "OWNER", "REPLICA", "CLUSTER", "SET", "RESET", "ALGORITHM", "LOCK"}
)
# What follows DROP and is no column: reserved words, which no column is called without quotation marks.
_NOT_A_COLUMN: Mapping[Engine, frozenset[str]] = {
    "postgresql": frozenset({"CONSTRAINT"}),
    "mysql": frozenset({"CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK"}),
}
_UNLESS_THERE = ("IF", "NOT", "EXISTS")
_DELETE_OPTIONS = frozenset({"LOW_PRIORITY", "QUICK", "IGNORE"})
_MANY_TABLES = frozenset({",", "JOIN", "STRAIGHT_JOIN", "USING"})
# Index hints of UPDATE may hold ORDER BY; DELETE has none.
_AFTER_TABLES = {"UPDATE": frozenset({"SET"}), "DELETE": frozenset({"WHERE", "ORDER", "LIMIT", "RETURNING"})}
_READS = frozenset({"SELECT", "EXECUTE"})  # a query may call what writes
_WRITES = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE", "TRUNCATE"})


class Stake(Spec):
    """``unknown`` is a statement that may touch every table, or that loses where a sequence stands, without values.

    It is empty when there is none; ``created`` are new tables.
    ``perhaps_there`` are tables, and (table, column), that are made only where they are missing, or replaced: no script
    brings back what was there. Whoever knows the catalog says so in ``there_already``.
    ``named`` are all tables that a statement names, ``undo_writes`` says that undo scripts write rows themselves.

    ``without_undo`` are migrations that nothing takes back; ``shapeless`` says that those change rows only.
    ``stepwise`` are scripts that a failure can leave between two statements.
    """

    tables: tuple[str, ...]
    created: tuple[str, ...]
    perhaps_there: tuple[tuple[str, str], ...] = ()
    there_already: str = ""
    named: tuple[str, ...] = ()
    unknown: str = ""
    undo_writes: bool = False
    writes_rows: bool = False
    without_undo: tuple[str, ...] = ()
    shapeless: bool = True
    stepwise: tuple[str, ...] = ()


def undo_direction(direction: Direction) -> Direction:
    """The other one."""
    return "down" if direction == "up" else "up"


def at_stake(plan: MigrationPlan, engine: Engine) -> Stake:
    """What ``plan``, and taking it back, does to rows."""
    forward = [one.script(plan.direction) for one in plan.migrations]
    undo = [one.script(undo_direction(plan.direction)) for one in plan.migrations]
    statements = [one for script in forward if script is not None for one in script.statements]
    undoing = [one for script in undo if script is not None for one in script.statements]
    writing_back = [one for one in undoing if one.words[0] in _WRITES or _is_unknown(one, engine)]
    untold = [one for one in statements if _is_unknown(one, engine) or loses_position(one, engine)]
    untold += [one for one in undoing if _is_unknown(one, engine) or restarts(one, engine)]
    tables, created = _tables(statements, writing_back, engine)
    irreversible = [script for script, other in zip(forward, undo, strict=True) if script is not None and other is None]
    return Stake(
        tables=tuple(sorted(tables)),
        created=tuple(sorted(created)),
        perhaps_there=tuple(sorted({pair for one in statements for pair in _perhaps_there(one, engine)})),
        named=tuple(sorted({name for one in statements for name in _named(one, engine)} - created)),
        undo_writes=any(one.words[0] in _WRITES for one in undoing),
        unknown=" ".join(without_values(untold[0].text, engine).split())[:60] if untold else "",
        writes_rows=any(one.words[0] in _WRITES for one in (*statements, *undoing)),
        without_undo=tuple(script.file for script in irreversible),
        shapeless=all(one.words[0] in _WRITES for script in irreversible for one in script.statements),
        stepwise=tuple(script.file for script in forward if script is not None and _is_stepwise(script, engine)),
    )


def _tables(
    forward: Sequence[Statement], writing_back: Sequence[Statement], engine: Engine
) -> tuple[set[str], set[str]]:
    """Those at stake and those that are new: of a table that was made before nobody had a row."""
    tables, created = set[str](), set[str]()
    for one in forward:
        tables |= set(_touched(one, engine) or ()) - created
        created |= set(_created(one, engine))
    for one in writing_back:
        tables |= set(_touched(one, engine) or ()) - created
    return tables, created


def _is_stepwise(script: Script, engine: Engine) -> bool:
    is_one = engine == "postgresql" and script.header.transaction == "auto"
    return len(script.statements) > 1 and not (is_one and not any(one.is_alone for one in script.statements))


def _is_unknown(statement: Statement, engine: Engine) -> bool:
    return _touched(statement, engine) is None


def _created(statement: Statement, engine: Engine) -> tuple[str, ...]:
    words = _bare(statement.words)
    is_new = words[:2] == ("CREATE", "TABLE") and not _perhaps_there(statement, engine)
    return names(words[2:], engine)[:1] if is_new else ()


def _perhaps_there(statement: Statement, engine: Engine) -> tuple[tuple[str, str], ...]:
    """(table, "") or (table, column) of what may be there before, although the statement makes it."""
    words = _bare(statement.words)
    if words[:2] == ("CREATE", "TABLE"):
        is_new = words[2:5] != _UNLESS_THERE and not _replaces(statement)
        return () if is_new else tuple((name, "") for name in names(words[2:], engine)[:1])
    if words[:2] != ("ALTER", "TABLE"):
        return ()
    columns = [_added_where_missing(action, engine) for action in actions(words, engine)]
    return tuple((name, column) for name in names(words[2:], engine)[:1] for column in columns if column)


def _replaces(statement: Statement) -> bool:
    return statement.words[1:3] == ("OR", "REPLACE")


def _added_where_missing(action: tuple[str, ...], engine: Engine) -> str | None:
    """The column that is added unless it is there, empty when it cannot be read; None for any other action."""
    rest = action[2:] if action[:2] == ("ADD", "COLUMN") else action[1:]
    if action[:1] != ("ADD",) or rest[:3] != _UNLESS_THERE:
        return None
    return next(iter(names(rest, engine)), "")


def _named(statement: Statement, engine: Engine) -> tuple[str, ...]:
    words = _bare(statement.words)
    return names(words[2:], engine)[:1] if words[:2] == ("ALTER", "TABLE") else _touched(statement, engine) or ()


def _touched(statement: Statement, engine: Engine) -> tuple[str, ...] | None:
    """The tables whose rows may change; None when that cannot be told."""
    words = _bare(statement.words)
    verb, object_ = words[0], words[1] if len(words) > 1 else ""
    if verb in _HARMLESS:
        return ()
    if "CASCADE" in words and verb in ("DROP", "TRUNCATE", "ALTER") and object_ != "INDEX":
        return None
    if verb in _WRITES:
        return _written(words, engine) or None
    if verb in ("CREATE", "DROP", "ALTER") and object_ in _SHAPE_ONLY and not (verb == "ALTER" and object_ == "TYPE"):
        return ()
    if verb == "CREATE":
        return _made(statement, engine) if object_ == "TABLE" and _READS.isdisjoint(words) else None
    if verb == "DROP":
        return names(words[2:], engine) or None if object_ == "TABLE" else None
    if verb == "ALTER" and object_ == "TABLE":
        return _altered(words, engine)
    return None


def _made(statement: Statement, engine: Engine) -> tuple[str, ...] | None:
    """A table that is replaced is dropped; one that may be there must at least be known."""
    name = names(_bare(statement.words)[2:], engine)[:1]
    if _replaces(statement):
        return name or None
    return () if name or "EXISTS" not in statement.words else None


def _written(words: tuple[str, ...], engine: Engine) -> tuple[str, ...]:
    """The tables that a statement writes rows of; empty when that cannot be told."""
    if words[0] == "TRUNCATE":
        return names(words[1:], engine)
    rest = words[1:]
    if engine == "mysql" and words[0] == "DELETE":
        while rest and rest[0] in _DELETE_OPTIONS:
            rest = rest[1:]
        if rest[:1] != ("FROM",):  # DELETE a FROM …, and what a is may be told further on
            return ()
    if engine == "mysql" and words[0] in _AFTER_TABLES:
        listed = _before(rest, _AFTER_TABLES[words[0]])
        if not _MANY_TABLES.isdisjoint(listed):
            return ()
    return names(rest, engine)[:1]


def _before(words: Sequence[str], ends: Collection[str]) -> Iterator[str]:
    """What stands before the first of ``ends``, without what is in parentheses (partitions, hints)."""
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ends:
            return
        if depth == 0:
            yield word


def _altered(words: tuple[str, ...], engine: Engine) -> tuple[str, ...] | None:
    name, done = names(words[2:], engine)[:1], actions(words, engine)
    is_hidden = any(action[:1] == ("EXCHANGE",) or _added_where_missing(action, engine) == "" for action in done)
    if not name or is_hidden:  # EXCHANGE PARTITION … WITH TABLE … moves rows of two tables
        return None
    return () if all(_keeps_rows(action, engine) for action in done) else name


def _keeps_rows(action: tuple[str, ...], engine: Engine) -> bool:
    first, second = action[0] if action else "", action[1] if len(action) > 1 else ""
    if first == "DROP":
        return second in _NOT_A_COLUMN[engine]
    if first == "ALTER":  # a column: its default or its NOT NULL, not its type
        return "TYPE" not in action and "USING" not in action
    return first in _HARMLESS_ACTIONS


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without what may stand between a verb and the kind of object."""
    position = 1
    while position < len(words) and words[position] in _QUALIFIERS:
        position += 1
    return (words[0], *words[position:])
