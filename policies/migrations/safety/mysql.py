"""MySQL and MariaDB: what matters of a change to tables in use, read by sqlglot. Pure.

What sqlglot cannot read, or reads only as "some command", is a finding that
blocks. Which operations copy: the manuals' tables of online DDL operations.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from policies.migrations.made_tables import MadeTables, replaces_table
from policies.migrations.model import Direction, Migration, Script, Statement
from policies.migrations.safety.catalogue import CHECKS, NOT_UNDERSTOOD
from policies.migrations.safety.findings import Effect, SafetyFinding
from policies.migrations.safety.mysql_types import ColumnTypes, is_narrower
from policies.migrations.safety.postgresql import as_tables, shown
from policies.migrations.statements import actions, names

_ROUTINES = frozenset({"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"})
_EXCLUSIVE = ("exclusive metadata lock", "reads and writes for a moment")
_COPY = ("shared table lock while the table is copied", "writes")
_QUIET = frozenset({"GRANT", "REVOKE", "ANALYZE"})
_SAFE_LOCKS = frozenset({"NONE"})
_SAFE_ALGORITHMS = frozenset({"INSTANT", "INPLACE", "NOCOPY"})


def findings_of(
    script: Script, direction: Direction, earlier: Sequence[Migration], made: MadeTables
) -> Iterator[SafetyFinding]:
    """Everything that is found in a script; ``earlier`` migrations say which types columns have before it.

    ``made`` tables nobody uses yet; it takes notice of the script's statements.
    """
    types = ColumnTypes()
    for migration in earlier:
        for statement in migration.up.statements:
            types.take(parsed(statement))
    for statement in script.statements:
        tree = parsed(statement)
        for id_, effect, detail in _judged(statement, tree, types):
            check = CHECKS[id_]
            is_new = made.has_all(statement, effect.tables)
            if (is_new and (check.is_about_size or check.is_about_clients)) or (
                check.is_about_clients and direction == "down"
            ):
                continue
            yield SafetyFinding(
                check=id_,
                title=check.title,
                severity=check.severity,
                file=script.file,
                line=statement.line,
                statement=shown(statement),
                safe_way=check.safe_way,
                lock=effect.lock,
                blocks=effect.blocks,
                rewrites=effect.rewrites,
                tables=as_tables(effect.tables),
                detail=detail,
            )
        types.take(tree)
        made.see(statement)


def parsed(statement: Statement) -> Any:
    """sqlglot's tree; None for what it does not understand."""
    import sqlglot  # noqa: PLC0415 - takes long to load, and most repositories have no MySQL
    from sqlglot import exp  # noqa: PLC0415

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        trees = sqlglot.parse(statement.text, dialect="mysql")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    if len(trees) != 1 or trees[0] is None or isinstance(trees[0], exp.Command):
        return None
    return trees[0]


def _judged(statement: Statement, tree: Any, types: ColumnTypes) -> Iterator[tuple[str, Effect, str]]:
    """Check, effect and detail of everything that is wrong with one statement."""
    from sqlglot import exp  # noqa: PLC0415 - see above

    words = statement.words
    if tree is None:
        yield from _by_words(words)
        return
    tables = _tables(tree)
    plain = Effect(lock=_EXCLUSIVE[0], blocks=_EXCLUSIVE[1], tables=tables)
    if isinstance(tree, exp.Alter):
        yield from _alter(statement, tree, types, plain)
    elif isinstance(tree, exp.Drop) and str(tree.args.get("kind")).upper() == "TABLE":
        yield "mysql.dropped-table", _with_tables(plain, names(words[2:], "mysql")), ""
    elif replaces_table(statement):
        yield "mysql.dropped-table", plain, "it is replaced"
    elif isinstance(tree, exp.TruncateTable):
        yield "sql.truncate", plain, ""
    elif isinstance(tree, exp.Create) and str(tree.args.get("kind")).upper() == "INDEX":
        if not _is_stated(words):
            yield "mysql.index-locks", Effect(lock=_COPY[0], blocks=_COPY[1], tables=_tables_of_index(words)), ""
    elif isinstance(tree, exp.Update | exp.Delete) and tree.args.get("where") is None:
        rows = Effect(lock="row locks", blocks="other writers of the rows", tables=tables)
        yield "sql.whole-table-write", rows, ""


def _by_words(words: tuple[str, ...]) -> Iterator[tuple[str, Effect, str]]:
    """What sqlglot takes for a mere command and is known by its first words; anything else is not understood."""
    nothing = Effect(lock="", blocks="", tables=())
    if words[:2] == ("RENAME", "TABLE"):
        renamed = names(words[2:], "mysql")[:1]
        yield "mysql.renamed-table", Effect(lock=_EXCLUSIVE[0], blocks=_EXCLUSIVE[1], tables=renamed), ""
    elif words[:2] == ("ALTER", "TABLE") and actions(words, "mysql")[0][:2] == ("CONVERT", "TO"):
        copied = Effect(lock=_COPY[0], blocks=_COPY[1], tables=names(words[2:], "mysql")[:1], rewrites=True)
        yield "mysql.copying-alter", copied, "another character set"
    elif (words[0] in ("CREATE", "DROP") and not _ROUTINES.isdisjoint(words[1:12])) or words[0] in _QUIET:
        return
    else:
        yield NOT_UNDERSTOOD, nothing, "sqlglot does not read it"


def _with_tables(effect: Effect, tables: tuple[str, ...]) -> Effect:
    """sqlglot tells the first of several only."""
    return msgspec.structs.replace(effect, tables=tables) if tables else effect


def _alter(statement: Statement, tree: Any, types: ColumnTypes, plain: Effect) -> Iterator[tuple[str, Effect, str]]:
    words = statement.words
    copied = Effect(lock=_COPY[0], blocks=_COPY[1], tables=plain.tables, rewrites=True)
    found = [one for action in tree.args.get("actions") or [] for one in _action(action, plain.tables, types)]
    for id_, detail in found:
        is_copy = id_ in ("mysql.copying-alter", "mysql.foreign-key-copies")
        if not (is_copy and _is_stated(words)):
            yield id_, copied if is_copy else plain, detail
    if said(words, "LOCK") not in ("", *_SAFE_LOCKS, "DEFAULT") or said(words, "ALGORITHM") == "COPY":
        yield "mysql.blocking-lock", copied, ""
    elif not _is_stated(words) and not any(
        id_ in ("mysql.copying-alter", "mysql.foreign-key-copies") for id_, _ in found
    ):
        yield "mysql.algorithm-not-stated", plain, ""


def _action(action: Any, tables: tuple[str, ...], types: ColumnTypes) -> Iterator[tuple[str, str]]:
    """Check and detail of one action of ALTER TABLE."""
    from sqlglot import exp  # noqa: PLC0415 - see above

    table = tables[0] if tables else ""
    text = action.sql("mysql")
    upper = text.upper()
    if isinstance(action, exp.ColumnDef):
        if "NOT NULL" in upper and "DEFAULT" not in upper and "AUTO_INCREMENT" not in upper:
            yield "mysql.required-column", action.name
    elif isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
        yield "mysql.dropped-column", action.name
    elif isinstance(action, exp.RenameColumn):
        yield "mysql.renamed-column", text
    elif isinstance(action, exp.ModifyColumn):
        yield from _modified(action, table, types)
    elif "FOREIGN KEY" in upper and isinstance(action, exp.AddConstraint):
        yield "mysql.foreign-key-copies", ""
    elif "PRIMARY KEY" in upper:
        yield "mysql.copying-alter", "another primary key"
    elif isinstance(action, exp.AlterRename):
        yield "mysql.renamed-table", text


def _modified(action: Any, table: str, types: ColumnTypes) -> Iterator[tuple[str, str]]:
    column = action.this
    old_name = action.args.get("rename_from")
    name = old_name.name if old_name is not None else column.name
    if old_name is not None and old_name.name.lower() != column.name.lower():
        yield "mysql.renamed-column", f"{old_name.name} to {column.name}"
    before, after = types.of(table, name), column.args.get("kind")
    if before is None:
        yield "mysql.type-narrowing", f"the type of {name} before is not known from these scripts"
    elif is_narrower(before, after):
        yield "mysql.type-narrowing", f"{name} was {before.sql('mysql')}, becomes {after.sql('mysql')}"
    if before is None or before.sql("mysql") != after.sql("mysql"):
        yield "mysql.copying-alter", "another type"


def _is_stated(words: Sequence[str]) -> bool:
    """Whether the server was told not to copy: it then refuses what it cannot do so."""
    return said(words, "ALGORITHM") in _SAFE_ALGORITHMS


def said(words: Sequence[str], option: str) -> str:
    """The value of ``option``; empty when it is not given."""
    for index, word in enumerate(words):
        if word == option:
            rest = [one for one in words[index + 1 : index + 3] if one != "="]
            return rest[0] if rest else ""
    return ""


def _tables(tree: Any) -> tuple[str, ...]:
    from sqlglot import exp  # noqa: PLC0415 - see above

    found = tree.this if isinstance(tree.this, exp.Table) else tree.find(exp.Table)
    return (found.name,) if found is not None else ()


def _tables_of_index(words: tuple[str, ...]) -> tuple[str, ...]:
    return names(words[words.index("ON") + 1 :], "mysql")[:1] if "ON" in words else ()
