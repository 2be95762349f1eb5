"""A plan → which tables' rows it may change or lose, from the words of its statements. Pure.

A short list says what leaves every row as it is; a statement that is on no list
may do anything, and then every table is at stake. Undoing counts too: an undo
script that writes rows changes what a restore has to bring back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.migrations.model import Direction, MigrationPlan, Script, Statement
from policies.migrations.spec import Engine
from policies.spec import Spec

_SHAPE_ONLY = frozenset(
    {"INDEX", "VIEW", "SEQUENCE", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "TRIGGER", "POLICY", "STATISTICS"}
)
_QUALIFIERS = frozenset({"OR", "REPLACE", "UNIQUE", "CONCURRENTLY", "UNLOGGED", "FULLTEXT", "SPATIAL", "ALGORITHM"})
_HARMLESS = frozenset({"COMMENT", "GRANT", "REVOKE", "ANALYZE"})
_HARMLESS_ACTIONS = frozenset(
    {"ADD", "VALIDATE", "ENABLE", "DISABLE", "OWNER", "REPLICA", "CLUSTER", "SET", "RESET", "ALGORITHM", "LOCK"}
)
_NOT_A_COLUMN = frozenset({"CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK"})
_SKIPPED = frozenset({"ONLY", "IF", "EXISTS", "NOT", "TABLE", "INTO", "FROM", "IGNORE", "LOW_PRIORITY", "TEMPORARY"})
_READS = frozenset({"SELECT", "EXECUTE"})  # a query may call what writes
_WRITES = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE", "TRUNCATE"})


class Stake(Spec):
    """``unknown`` is a statement that may touch every table, empty when there is none; ``created`` are new tables.

    ``named`` are all tables that a statement names, ``undo_writes`` says that undo scripts write rows themselves.

    ``without_undo`` are migrations that nothing takes back; ``shapeless`` says that those change rows only.
    ``stepwise`` are scripts that a failure can leave between two statements.
    """

    tables: tuple[str, ...]
    created: tuple[str, ...]
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
    created = frozenset(name for one in statements for name in _created(one, engine))
    touched = [(one, _touched(one, engine)) for one in statements]
    touched += [(one, _touched(one, engine)) for one in undoing if one.words[0] in _WRITES or _is_unknown(one, engine)]
    unknown = next((one.text for one, names in touched if names is None), "")
    irreversible = [script for script, other in zip(forward, undo, strict=True) if script is not None and other is None]
    return Stake(
        tables=tuple(sorted({name for _, names in touched for name in names or ()} - created)),
        created=tuple(sorted(created)),
        named=tuple(sorted({name for one in statements for name in _named(one, engine)} - created)),
        undo_writes=any(one.words[0] in _WRITES for one in undoing),
        unknown=" ".join(unknown.split())[:60],
        writes_rows=any(one.words[0] in _WRITES for one in (*statements, *undoing)),
        without_undo=tuple(script.file for script in irreversible),
        shapeless=all(one.words[0] in _WRITES for script in irreversible for one in script.statements),
        stepwise=tuple(script.file for script in forward if script is not None and _is_stepwise(script, engine)),
    )


def _is_stepwise(script: Script, engine: Engine) -> bool:
    is_one = engine == "postgresql" and script.header.transaction == "auto"
    return len(script.statements) > 1 and not (is_one and not any(one.is_alone for one in script.statements))


def _is_unknown(statement: Statement, engine: Engine) -> bool:
    return _touched(statement, engine) is None


def _created(statement: Statement, engine: Engine) -> tuple[str, ...]:
    words = _bare(statement.words)
    return _names(words[2:], engine)[:1] if words[:2] == ("CREATE", "TABLE") else ()


def _named(statement: Statement, engine: Engine) -> tuple[str, ...]:
    words = _bare(statement.words)
    return _names(words[2:], engine)[:1] if words[:2] == ("ALTER", "TABLE") else _touched(statement, engine) or ()


def _touched(statement: Statement, engine: Engine) -> tuple[str, ...] | None:
    """The tables whose rows may change; None when that cannot be told."""
    words = _bare(statement.words)
    verb, object_ = words[0], words[1] if len(words) > 1 else ""
    if verb in _HARMLESS:
        return ()
    if "CASCADE" in words and verb in ("DROP", "TRUNCATE", "ALTER") and object_ != "INDEX":
        return None
    if verb in _WRITES:
        return _names(words[1:], engine) if verb == "TRUNCATE" else _names(words[1:], engine)[:1] or None
    if verb in ("CREATE", "DROP", "ALTER") and object_ in _SHAPE_ONLY and not (verb == "ALTER" and object_ == "TYPE"):
        return ()
    if verb == "CREATE":
        return () if object_ == "TABLE" and _READS.isdisjoint(words) else None
    if verb == "DROP":
        return _names(words[2:], engine) if object_ == "TABLE" else None
    if verb == "ALTER" and object_ == "TABLE":
        return _altered(words, engine)
    return None


def _altered(words: tuple[str, ...], engine: Engine) -> tuple[str, ...] | None:
    name = _names(words[2:], engine)[:1]
    if not name:
        return None
    actions = tuple(_actions(words[2:]))
    return () if all(_keeps_rows(action) for action in actions) else name


def _keeps_rows(action: tuple[str, ...]) -> bool:
    first, second = action[0] if action else "", action[1] if len(action) > 1 else ""
    if first == "DROP":
        return second in _NOT_A_COLUMN
    if first == "ALTER":  # a column: its default or its NOT NULL, not its type
        return "TYPE" not in action and "USING" not in action
    return first in _HARMLESS_ACTIONS


def _actions(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The actions of ALTER TABLE, cut at the commas between them, without the table's name."""
    rest = [word for index, word in enumerate(words) if word not in _SKIPPED or index > 3]
    start = 1
    while start + 1 < len(rest) and rest[start] == ".":
        start += 2
    depth, part = 0, list[str]()
    for word in rest[start:]:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield tuple(part)
            part = []
        else:
            part.append(word)
    yield tuple(part)


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without what may stand between a verb and the kind of object."""
    position = 1
    while position < len(words) and words[position] in _QUALIFIERS:
        position += 1
    return (words[0], *words[position:])


def _names(words: Sequence[str], engine: Engine) -> tuple[str, ...]:
    """Names at the beginning of ``words``, without schemas, as the catalog spells them."""
    found: list[str] = []
    rest = [word for word in words if word not in _SKIPPED]
    expects = True
    for index, word in enumerate(rest):
        if word == ",":
            expects = True
        elif word == ".":
            continue
        elif expects and _is_name(word):
            if rest[index + 1 : index + 2] != ["."]:
                found.append(_spelled(word, engine))
                expects = False
        else:
            break
    return tuple(found)


def _is_name(word: str) -> bool:
    return word[0] in '"`' or word[0].isalpha() or word[0] == "_"


def _spelled(word: str, engine: Engine) -> str:
    if word[0] in '"`':
        return word[1:-1].replace(word[0] * 2, word[0])
    # MySQL's names of tables may be kept as written; who compares them for it does so without case.
    return word.lower() if engine == "postgresql" else word
