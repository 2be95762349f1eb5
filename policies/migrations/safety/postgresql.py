"""PostgreSQL: squawk's violations, with what each statement locks and whether it rewrites or scans its tables. Pure.

Locks as in the manual, "Explicit Locking" and the page of each command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policies.migrations.made_tables import MadeTables
from policies.migrations.model import Direction, Script, Statement
from policies.migrations.safety.catalogue import CHECKS, DONE_BY_ADX, NOT_UNDERSTOOD, OTHER_SEVERITY
from policies.migrations.safety.findings import Effect, SafetyFinding, TableAtStake
from policies.migrations.statements import actions, names
from policies.spec import Spec

_ALL = "reads and writes"
_WRITES = "writes"
_NOTHING = "changes of the schema"
_EXCLUSIVE = ("ACCESS EXCLUSIVE", _ALL)
_SHARE = ("SHARE", _WRITES)
_SHARE_ROW = ("SHARE ROW EXCLUSIVE", _WRITES)
_SHARE_UPDATE = ("SHARE UPDATE EXCLUSIVE", _NOTHING)
_ROW = ("ROW EXCLUSIVE", "nothing but other writers of the same rows")
SHOWN_CHARACTERS = 100


class Violation(Spec):
    """What squawk reports: its rule, the line (from 1), its message and advice."""

    rule: str
    line: int
    message: str
    help: str = ""


def findings_of(
    script: Script, direction: Direction, violations: Sequence[Violation], made: MadeTables
) -> Iterator[SafetyFinding]:
    """Everything that squawk or a check of ADX's own finds in a script; ``made`` tables nobody uses yet.

    ``made`` takes notice of the script's statements.
    """
    is_new = [_is_new(statement, made) for statement in script.statements]
    for violation in violations:
        if violation.rule in DONE_BY_ADX:
            continue
        is_syntax = violation.rule == "syntax-error"
        id_ = NOT_UNDERSTOOD if is_syntax else f"pg.{violation.rule}"
        number = _place_of(script, violation.line, is_new if _may_be_excused(id_) else ())
        statement = script.statements[number]
        yield from _found(id_, script, direction, statement, is_new=is_new[number], violation=violation)
    for statement, new in zip(script.statements, is_new, strict=True):
        own = _own_check(statement)
        if own is not None:
            yield from _found(own, script, direction, statement, is_new=new)


def _is_new(statement: Statement, made: MadeTables) -> bool:
    """Whether nobody uses the tables of ``statement``, of which ``made`` takes notice."""
    new = made.has_all(statement, effect_of(statement).tables)
    made.see(statement)
    return new


def _may_be_excused(id_: str) -> bool:
    """Whether what it finds does not matter in a table that nobody uses yet."""
    check = CHECKS.get(id_)
    return check is not None and (check.is_about_size or check.is_about_clients)


def _place_of(script: Script, line: int, is_new: Sequence[bool]) -> int:
    """The number of the statement that ``line`` belongs to; of several on one line the last that is about old tables.

    squawk tells no more than the line: the others must not excuse it. Without ``is_new`` it is the last of them.
    """
    if not is_new:
        return script.statements.index(statement_at(script, line))
    begun = [number for number, one in enumerate(script.statements) if one.line <= line] or [0]
    there = [n for n in begun if script.statements[n].line + script.statements[n].text.count("\n") >= line]
    old = [number for number in there if not is_new[number] and effect_of(script.statements[number]).tables]
    return (old or begun)[-1]


def effect_of(statement: Statement) -> Effect:
    """The strongest lock that the statement takes on tables, and what it does under it."""
    words = statement.words
    if words[:2] == ("ALTER", "TABLE"):
        return _alter(words)
    if words[:2] in (("CREATE", "INDEX"), ("CREATE", "UNIQUE")):
        lock, blocks = _SHARE_UPDATE if "CONCURRENTLY" in words else _SHARE
        return Effect(lock=lock, blocks=blocks, tables=_tables_after(words, "ON"), scans=True)
    if words[:2] == ("DROP", "TABLE") or words[:1] == ("TRUNCATE",):
        return Effect(lock=_EXCLUSIVE[0], blocks=_EXCLUSIVE[1], tables=_names(words[1:]))
    if words[:2] == ("DROP", "INDEX"):
        lock, blocks = _SHARE_UPDATE if "CONCURRENTLY" in words else _EXCLUSIVE
        return Effect(lock=lock, blocks=blocks, tables=())
    if words[:1] == ("CLUSTER",) or (words[:1] == ("VACUUM",) and "FULL" in words):
        return Effect(lock=_EXCLUSIVE[0], blocks=_EXCLUSIVE[1], tables=_names(words[-1:]), rewrites=True)
    if words[:2] == ("CREATE", "TRIGGER"):
        return Effect(lock=_SHARE_ROW[0], blocks=_SHARE_ROW[1], tables=_tables_after(words, "ON"))
    if words[:1] in (("UPDATE",), ("DELETE",), ("INSERT",)):
        return Effect(lock=_ROW[0], blocks=_ROW[1], tables=_names(words[1:])[:1])
    return Effect(lock="", blocks="", tables=())


def statement_at(script: Script, line: int) -> Statement:
    """The statement that ``line`` belongs to."""
    before = [one for one in script.statements if one.line <= line]
    return before[-1] if before else script.statements[0]


def _alter(words: tuple[str, ...]) -> Effect:
    tables = _names(words[2:])[:1]
    effects = [_action(action) for action in actions(words, "postgresql")]
    order = (_SHARE_UPDATE, _SHARE_ROW, _EXCLUSIVE)
    lock = max((effect[0] for effect in effects), key=order.index, default=_EXCLUSIVE)
    referenced = _tables_after(words, "REFERENCES")
    return Effect(
        lock=lock[0],
        blocks=lock[1],
        tables=(*tables, *(name for name in referenced if name not in tables)),
        rewrites=any(effect[1] for effect in effects),
        scans=any(effect[2] for effect in effects),
    )


def _action(action: tuple[str, ...]) -> tuple[tuple[str, str], bool, bool]:
    """Lock, rewrite, scan of one action of ALTER TABLE."""
    valid = "VALID" not in action
    if action[:2] == ("VALIDATE", "CONSTRAINT"):
        return _SHARE_UPDATE, False, True
    if action[:1] == ("ADD",) and "FOREIGN" in action:
        return _SHARE_ROW, False, valid
    if action[:1] == ("ADD",) and not {"CHECK", "UNIQUE", "PRIMARY", "EXCLUDE"}.isdisjoint(action[:4]):
        return _EXCLUSIVE, False, valid and "USING" not in action
    if action[:2] == ("ATTACH", "PARTITION"):
        return _SHARE_UPDATE, False, True
    if action[:1] == ("ALTER",) and "TYPE" in action:
        return _EXCLUSIVE, True, True
    if action[-3:] == ("SET", "NOT", "NULL"):
        return _EXCLUSIVE, False, True
    if action[:1] == ("ALTER",) and "STATISTICS" in action:
        return _SHARE_UPDATE, False, False
    if action[:1] == ("ADD",) and ("STORED" in action or "SERIAL" in action or "BIGSERIAL" in action):
        return _EXCLUSIVE, True, True
    if action[:2] in (("SET", "LOGGED"), ("SET", "UNLOGGED"), ("SET", "TABLESPACE")):
        return _EXCLUSIVE, True, True
    return _EXCLUSIVE, False, False


def _own_check(statement: Statement) -> str | None:
    words = statement.words
    if words[:1] in (("UPDATE",), ("DELETE",)) and "WHERE" not in words:
        return "sql.whole-table-write"
    if words[:1] == ("TRUNCATE",):
        return "sql.truncate"
    is_rewrite = words[:1] == ("CLUSTER",) or (words[:1] == ("VACUUM",) and "FULL" in words)
    if is_rewrite or (words[:2] == ("ALTER", "TABLE") and words[-2:] in (("SET", "LOGGED"), ("SET", "UNLOGGED"))):
        return "pg.table-rewrite"
    return None


def _found(
    id_: str,
    script: Script,
    direction: Direction,
    statement: Statement,
    *,
    is_new: bool,
    violation: Violation | None = None,
) -> Iterator[SafetyFinding]:
    check = CHECKS.get(id_)
    effect = effect_of(statement)
    if _may_be_excused(id_) and is_new:
        return
    if check is not None and check.is_about_clients and direction == "down":
        return
    said = violation.message if violation is not None else ""
    yield SafetyFinding(
        check=id_,
        title=check.title if check is not None else said,
        severity=check.severity if check is not None else OTHER_SEVERITY,
        file=script.file,
        line=violation.line if id_ == NOT_UNDERSTOOD and violation is not None else statement.line,
        statement=shown(statement),
        safe_way=check.safe_way if check is not None else (violation.help if violation is not None else ""),
        lock=effect.lock,
        blocks=effect.blocks,
        rewrites=effect.rewrites,
        scans=effect.scans,
        tables=as_tables(effect.tables),
        detail=said if id_ == NOT_UNDERSTOOD else "",
    )


def shown(statement: Statement) -> str:
    """The beginning of a statement on one line."""
    text = " ".join(statement.text.split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def as_tables(names: Sequence[str]) -> tuple[TableAtStake, ...]:
    """Tables of which nothing is known yet."""
    return tuple(TableAtStake(table=name) for name in names)


def _tables_after(words: tuple[str, ...], keyword: str) -> tuple[str, ...]:
    places = [index for index, word in enumerate(words) if word == keyword]
    return tuple(name for place in places for name in _names(words[place + 1 :])[:1])


def _names(words: Sequence[str]) -> tuple[str, ...]:
    return names(words, "postgresql")
