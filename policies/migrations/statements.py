"""A script's text → its statements, and what they name. Pure.

A semicolon ends a statement unless it stands in the body of a routine. In
PostgreSQL that is ``CREATE [OR REPLACE] FUNCTION|PROCEDURE … BEGIN ATOMIC … END``
and what stands in parentheses (rules), as psql does it. In MySQL it is ``BEGIN …
END`` of a procedure, function, trigger or event; the server wants such a body
whole, so that no other delimiter is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from policies.migrations.lexer import Token, tokens
from policies.migrations.model import Statement
from policies.migrations.spec import Engine

_MYSQL_ROUTINES = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"})
_MYSQL_OTHER_ENDS = frozenset({"IF", "LOOP", "WHILE", "REPEAT", "FOR"})
# Reserved words all of them: without quotation marks no table is called so.
_BEFORE_A_TABLE: Mapping[Engine, frozenset[str]] = {
    "postgresql": frozenset({"TABLE", "ONLY", "INTO", "FROM"}),
    "mysql": frozenset({"TABLE", "INTO", "FROM", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"}),
}
_IS_NAME: Mapping[Engine, re.Pattern[str]] = {
    "postgresql": re.compile(r'(?:[uU]&)?".+"|[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*', re.DOTALL),
    "mysql": re.compile(r"`.+`|(?![0-9]+\Z)[A-Za-z0-9_$\u0080-\U0010ffff]+", re.DOTALL),
}
_POSTGRES_CONCURRENT = frozenset({("CREATE", "INDEX"), ("CREATE", "UNIQUE"), ("DROP", "INDEX"), ("REINDEX",)})


def split(text: str, engine: Engine) -> tuple[Statement, ...]:
    """The statements of ``text`` in order, without empty ones. Raises LexError."""
    return tuple(_statement(text, part, engine) for part in _parts(text, engine))


def without_comments(text: str, engine: Engine) -> str:
    """``text`` with every comment as spaces, so that places stay what they are. Raises LexError."""
    shown = []
    for token in tokens(text, engine):
        piece = text[token.start : token.end]
        shown.append("".join(c if c in "\r\n" else " " for c in piece) if token.kind == "comment" else piece)
    return "".join(shown)


def word_of(text: str, token: Token) -> str:
    """A token as rules compare it: plain words in upper case, everything else as written."""
    piece = text[token.start : token.end]
    return piece.upper() if token.kind == "word" else piece


def index_name(words: Sequence[str]) -> str | None:
    """The name of the index that ``CREATE|DROP|REINDEX INDEX CONCURRENTLY …`` is about; None when it has none.

    As the catalog spells it: plain names in lower case, quoted ones without their quotes, without a schema.
    """
    rest = [word for word in words if word not in ("IF", "NOT", "EXISTS", "CONCURRENTLY", "(", ")", "VERBOSE")]
    if "INDEX" not in rest:
        return None
    found = rest[rest.index("INDEX") + 1 :]
    if not found or found[0] == "ON":
        return None
    while len(found) > 2 and found[1] == ".":
        found = found[2:]
    return spelled(found[0])


def names(words: Sequence[str], engine: Engine) -> tuple[str, ...]:
    """The tables of a list at the beginning of ``words``, without schemas, as the catalog spells them.

    Before each may stand what stands between a verb and a table (``ONLY``, ``IF EXISTS``, ``INTO``, …). Empty when one
    of the list cannot be read. Without quotation marks they are in lower case; MySQL may keep them as written, so who
    compares them for it does so without case.
    """
    return tuple(name for _, name in placed_names(words, engine))


def placed_names(words: Sequence[str], engine: Engine) -> tuple[tuple[str, str], ...]:
    """As ``names``, each with the schema that is written before it, empty without one."""
    found: list[tuple[str, str]] = []
    position = 0
    while True:
        schema, name, position = _name_at(words, position, engine)
        if not name:
            return ()
        found.append((schema, name))
        if list(words[position : position + 1]) != [","]:
            return tuple(found)
        position += 1


def spelled(word: str) -> str:
    """One word as the catalog spells a name: plain ones in lower case, quoted ones without their quotes.

    Empty where that cannot be told.
    """
    if word[0] in '"`':
        return word[1:-1].replace(word[0] * 2, word[0])
    if word[1:2] == "&":  # U&"…", whose escapes may be told in a word that follows
        return ""
    return word.lower()


def actions(words: Sequence[str], engine: Engine) -> tuple[tuple[str, ...], ...]:
    """The actions of ``ALTER TABLE name …``, cut at the commas between them, without the name."""
    *_, position = _name_at(words, 2, engine)
    return tuple(_cut_at_commas(words[position:]))


def _cut_at_commas(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    depth, part = 0, list[str]()
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield tuple(part)
            part = []
        else:
            part.append(word)
    yield tuple(part)


def _name_at(words: Sequence[str], position: int, engine: Engine) -> tuple[str, str, int]:
    """Schema and table at ``position``, empty when it cannot be read, and where the text goes on after it."""
    while position < len(words):
        if tuple(words[position : position + 3]) == ("IF", "NOT", "EXISTS"):
            position += 3
        elif tuple(words[position : position + 2]) == ("IF", "EXISTS"):
            position += 2
        elif words[position] in _BEFORE_A_TABLE[engine]:
            position += 1
        else:
            break
    schema = ""
    while position < len(words) and _IS_NAME[engine].fullmatch(words[position]):
        name, follows = words[position], list(words[position + 1 : position + 2])
        position += 1
        if follows != ["."]:
            # PostgreSQL's "and its descendants"
            return schema, spelled(name), position + (engine == "postgresql" and follows == ["*"])
        schema = spelled(name)
        position += 1
    return "", "", position


def _parts(text: str, engine: Engine) -> Iterator[list[Token]]:
    part: list[Token] = []
    words: list[str] = []
    depth = _Depth(engine)
    for token in tokens(text, engine):
        if token.kind in ("space", "comment"):
            continue
        if token.kind == "semicolon" and depth.is_outside():
            if part:
                yield part
            part, words, depth = [], [], _Depth(engine)
            continue
        part.append(token)
        words.append(word_of(text, token))
        depth.see(token, words)
    if part:
        yield part


class _Depth:
    """How deep in parentheses and routine bodies the reader is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parentheses = 0
        self._blocks = 0

    def is_outside(self) -> bool:
        """Whether a semicolon here ends the statement. MySQL's server knows none in parentheses."""
        return self._blocks == 0 and (self._engine == "mysql" or self._parentheses <= 0)

    def see(self, token: Token, words: Sequence[str]) -> None:
        """Take notice of the last of ``words``."""
        word = words[-1]
        if token.kind == "other":
            self._parentheses += (word == "(") - (word == ")")
        elif token.kind == "word" and self._engine == "postgresql":
            self._see_postgres(word, words)
        elif token.kind == "word":
            self._see_mysql(word, words)

    def _see_postgres(self, word: str, words: Sequence[str]) -> None:
        if self._parentheses > 0 or not _is_postgres_routine(words):
            return
        if word == "BEGIN" or (word == "CASE" and self._blocks):
            self._blocks += 1
        elif word == "END" and self._blocks:
            self._blocks -= 1

    def _see_mysql(self, word: str, words: Sequence[str]) -> None:
        if words[:3] == ["BEGIN", "NOT", "ATOMIC"] and not self._blocks:
            self._blocks = 1
        if not _is_mysql_routine(words):
            return
        previous = words[-2] if len(words) > 1 else ""
        if word == "BEGIN" or (word == "CASE" and self._blocks and previous != "END"):
            self._blocks += 1
        elif word == "END" and self._blocks:
            self._blocks -= 1
        elif previous == "END" and word in _MYSQL_OTHER_ENDS:
            self._blocks += 1  # END IF and its like end what was not counted


def _is_postgres_routine(words: Sequence[str]) -> bool:
    rest = words[3:4] if list(words[1:3]) == ["OR", "REPLACE"] else words[1:2]
    return list(words[:1]) == ["CREATE"] and bool(rest) and rest[0] in ("FUNCTION", "PROCEDURE")


def _is_mysql_routine(words: Sequence[str]) -> bool:
    if list(words[:3]) == ["BEGIN", "NOT", "ATOMIC"]:
        return True
    # CREATE [OR REPLACE] [DEFINER = user@host] [AGGREGATE] PROCEDURE …
    return list(words[:1]) == ["CREATE"] and not _MYSQL_ROUTINES.isdisjoint(words[1:12])


def _statement(text: str, part: Sequence[Token], engine: Engine) -> Statement:
    words = tuple(word_of(text, token) for token in part)
    start, end = part[0].start, part[-1].end
    return Statement(
        text=text[start:end],
        line=text.count("\n", 0, start) + 1,
        words=words,
        is_alone=engine == "postgresql" and _is_alone(words),
    )


def _is_alone(words: tuple[str, ...]) -> bool:
    """Whether PostgreSQL refuses the statement in a transaction block (PreventInTransactionBlock in its sources)."""
    if words[:1] == ("VACUUM",) or words[:2] == ("ALTER", "SYSTEM"):
        return True
    if words[:2] in {(verb, what) for verb in ("CREATE", "DROP") for what in ("DATABASE", "TABLESPACE")}:
        return True
    is_index = words[:2] in _POSTGRES_CONCURRENT or words[:1] in _POSTGRES_CONCURRENT
    if is_index and "CONCURRENTLY" in words[:6]:
        return True
    if words[:1] == ("REINDEX",) and not {"DATABASE", "SYSTEM", "SCHEMA"}.isdisjoint(words[:8]):
        return True
    return words[:2] == ("ALTER", "TABLE") and "DETACH" in words and words[-1] == "CONCURRENTLY"
