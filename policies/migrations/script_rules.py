"""What a script must not hold, whatever it does to tables. Pure.

Whatever is refused here would make the record untrue (a script that commits by
itself), would run differently from how it was read (session settings, version
comments), or means something to a client program only.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.migrations.batches import wrong_batches
from policies.migrations.headers import Wrong, read_header
from policies.migrations.history import OWN_TABLES
from policies.migrations.lexer import LexError, Token, tokens
from policies.migrations.model import Direction, Script, Statement
from policies.migrations.spec import Engine
from policies.migrations.statements import index_name, split
from policies.yaml_text import refusals_of_text

_HEADER_FIX = "leave it out: the header's transaction, lock_timeout_ms and statement_timeout_ms say it"
_TRANSACTION = frozenset({"BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "RELEASE", "XA"})
_POSTGRES_SESSION = frozenset({"SET", "RESET", "DISCARD", "LISTEN", "UNLISTEN", "DEALLOCATE", "PREPARE", "CLOSE"})
_MYSQL_SESSION = frozenset({"USE", "SET", "LOCK", "UNLOCK", "FLUSH", "KILL", "RESET"})
_MYSQL_CLIENT = frozenset({"DELIMITER", "SOURCE", "SYSTEM", "NOTEE", "TEE"})
# What cannot be found half done by looking at the schema, so that a crash could not be survived.
_NOT_RESUMABLE = (
    ("ALTER", "SYSTEM"),
    *((verb, what) for verb in ("CREATE", "DROP") for what in ("DATABASE", "TABLESPACE")),
)


def read_script(file: str, data: bytes, engine: Engine, direction: Direction) -> tuple[Script | None, list[Wrong]]:
    """The script in ``data``, or everything that is wrong with it."""
    refused = [Wrong(line=r.line, what=r.what, fix=r.fix, rule="migrations.text") for r in refusals_of_text(data)]
    if refused:
        return None, refused
    text = data.decode("utf-8").replace("\r\n", "\n")
    try:
        header, wrong = read_header(text, engine, direction)
        wrong += _client_commands(text, engine)
        statements = split(text, engine)
    except LexError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [Wrong(line=line, what=error.what, fix="end it", rule="migrations.syntax")]
    script = Script(file=file, text=text, header=header, statements=statements)
    is_read = not any(one.rule in ("migrations.header", "migrations.version-comment") for one in wrong)
    wrong += _of_script(script, engine)
    wrong += wrong_batches(script, engine) if is_read else ()
    return (None, wrong) if wrong else (script, [])


def _of_script(script: Script, engine: Engine) -> Iterator[Wrong]:
    if not script.statements:
        yield Wrong(line=0, what="the script is empty", fix="write a statement, or remove it", rule="migrations.empty")
    for statement in script.statements:
        yield from _of_statement(statement, engine)
    alone = [one for one in script.statements if one.is_alone]
    if alone and len(script.statements) > 1 and script.header.transaction == "auto":
        what = f"{' '.join(alone[0].words[:3])} … cannot share a transaction with the other statements"
        fix = "give it a script of its own, or write `-- adx: transaction=none`, and each statement is run by itself"
        yield Wrong(line=alone[0].line, what=what, fix=fix, rule="migrations.one-statement")


def _of_statement(statement: Statement, engine: Engine) -> Iterator[Wrong]:
    words = statement.words
    if _controls_transaction(words, engine):
        what = f"{' '.join(words[:2])} would end or begin a transaction"
        yield _at(statement, what, _HEADER_FIX, "migrations.transaction")
    elif _sets_session(words, engine):
        what = f"{words[0]} would change the session that other statements run in"
        yield _at(statement, what, _HEADER_FIX, "migrations.session")
    elif words[:1] == ("COPY",) and "STDIN" in words:
        yield _at(statement, "COPY FROM STDIN needs a client that sends the rows", "write INSERT", "migrations.client")
    elif statement.is_alone and "DETACH" in words:
        what = "DETACH … CONCURRENTLY may be left half done in a way that is not repaired by itself"
        yield _at(statement, what, "detach without CONCURRENTLY, with a short lock_timeout_ms", "migrations.scope")
    elif statement.is_alone and words[:2] != ("DROP", "INDEX") and "INDEX" in words and index_name(words) is None:
        what = "an index that is built concurrently has no name, so that a half-built one could not be found"
        yield _at(statement, what, "name it: CREATE INDEX CONCURRENTLY name ON …", "migrations.index-name")
    elif words[:2] in _NOT_RESUMABLE:
        what = f"{' '.join(words[:2])} changes more than this database"
        yield _at(statement, what, "do it where servers are set up", "migrations.scope")
    if any(word.strip('"`').lower() in OWN_TABLES for word in words):
        yield _at(statement, "this is a table in which ADX keeps its record", "leave it alone", "migrations.own-tables")


def _controls_transaction(words: tuple[str, ...], engine: Engine) -> bool:
    if engine == "mysql" and words[:3] == ("BEGIN", "NOT", "ATOMIC"):
        return False
    if engine == "postgresql" and words[:2] == ("PREPARE", "TRANSACTION"):
        return True
    return words[0] in _TRANSACTION


def _sets_session(words: tuple[str, ...], engine: Engine) -> bool:
    if engine == "postgresql":
        return words[0] in _POSTGRES_SESSION and words[:2] != ("SET", "CONSTRAINTS")
    return words[0] in _MYSQL_SESSION  # variables too: after a crash the rest runs in another session


def _client_commands(text: str, engine: Engine) -> Iterator[Wrong]:
    """What a client program would take for itself, and comments that are code on some servers."""
    is_first = True
    for token in tokens(text, engine):
        if token.kind == "backslash":
            client = "psql" if engine == "postgresql" else "mysql"
            what = f"the backslash begins a command of {client}, not of SQL"
            yield _here(text, token, what, "write SQL", "migrations.client")
        elif token.kind == "executable" and text.startswith("/*", token.start):
            what = "a comment that some servers run and others do not cannot be reviewed"
            yield _here(text, token, what, "write it as a statement, or leave it out", "migrations.version-comment")
        elif is_first and engine == "mysql" and text[token.start : token.end].upper() in _MYSQL_CLIENT:
            what = f"{text[token.start : token.end]} is a command of the mysql client, not of SQL"
            yield _here(text, token, what, "leave it out: bodies of routines are sent whole", "migrations.client")
        if token.kind not in ("space", "comment"):
            is_first = token.kind == "semicolon"


def _here(text: str, token: Token, what: str, fix: str, rule: str) -> Wrong:
    return Wrong(line=text.count("\n", 0, token.start) + 1, what=what, fix=fix, rule=rule)


def _at(statement: Statement, what: str, fix: str, rule: str) -> Wrong:
    return Wrong(line=statement.line, what=what, fix=fix, rule=rule)
