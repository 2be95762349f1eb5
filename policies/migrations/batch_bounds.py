"""Whether the bounds of batches alone decide which rows a statement does, none twice, none left out. Pure.

They stand on the level of a WHERE, with nothing but AND beside them, and compare the key of the table that is cut. That
WHERE belongs to the statement, or to a subquery that cannot but narrow it: behind FROM, JOIN, IN, or WITH … AS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from policies.migrations.batch_pieces import Piece, bound_of, is_called
from policies.migrations.spec import Engine

RANGE = "{0} > :after AND {0} <= :upto"
_CLAUSES = frozenset({"WHERE", "SET", "SELECT", "FROM", "JOIN", "ON", "HAVING", "VALUES", "USING", "WHEN", "UPDATE"})
_OR = frozenset({"OR", "XOR"})
_CUT = {
    "postgresql": frozenset({"LIMIT", "FETCH", "OFFSET", "TABLESAMPLE", "SKIP LOCKED"}),
    "mysql": frozenset({"LIMIT", "FETCH", "SKIP LOCKED"}),
}
_SETS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_ENDS = frozenset({"RETURNING", "GROUP", "ORDER", "WINDOW", "FOR", "CONFLICT"}) | _CUT["mysql"] | _SETS
_AFTER = frozenset({"AND", ")", "ON", "HAVING", "WHEN", "OFFSET"}) | _OR | _ENDS
_NARROWING = frozenset({"FROM", "JOIN", "USING", "IN", "AS", "MATERIALIZED"})
_OUTER = frozenset({"LEFT", "RIGHT", "FULL"})
_BEFORE_TABLES = frozenset({"FROM", "JOIN", "STRAIGHT_JOIN", "UPDATE", "USING", "ONLY", "IGNORE", "LOW_PRIORITY"})


class BatchKey(NamedTuple):
    """The column by whose order batches are cut, as the catalog spells it."""

    table: str
    column: str


class Fault(NamedTuple):
    """What is wrong at a word, and what to write."""

    piece: Piece
    what: str
    fix: str


def faults_of(pieces: Sequence[Piece], key: BatchKey, engine: Engine) -> Iterator[Fault]:
    """Everything that is wrong with the bounds of a statement that holds each of them once."""
    after, upto = (next(n for n, one in enumerate(pieces) if bound_of(one) == bound) for bound in ("after", "upto"))
    wanted, where = RANGE.format(key.column), _where(pieces, after)
    is_range = _compares(pieces, after, (">",), key, engine) and _compares(pieces, upto, ("<", "="), key, engine)
    if where is None or where != _where(pieces, upto) or not is_range:
        what = "the bounds are not compared so that batches neither overlap nor leave anything out"
        fix = f"write `{wanted}`, behind WHERE and not in parentheses, joined to the rest by AND"
        yield Fault(pieces[after], what, fix)
        return
    qualifiers = {_qualifier(pieces, place, length) for place, length in ((after, 1), (upto, 2))}
    if not _is_of_table(pieces, after, qualifiers, key, engine):
        what = f"the bounds do not compare {key.column} of {key.table}, which the header cuts into batches"
        yield Fault(pieces[after], what, f"write `{wanted}` where {key.table} itself is read, with its name or alias")
    for number, piece in enumerate(pieces):
        if piece.around == pieces[after].around[: len(piece.around)]:
            yield from _beside(pieces, number, engine)
    for depth in range(len(pieces[after].around)):
        yield from _around(pieces, after, depth, wanted)


def _where(pieces: Sequence[Piece], place: int) -> int | None:
    """The WHERE on whose own level ``place`` stands."""
    for number in range(place - 1, -1, -1):
        if pieces[number].around != pieces[place].around:
            continue
        word = pieces[number].word
        if word in _ENDS or (word in _CLAUSES and not _is_distinct_from(pieces, number)):
            return number if word == "WHERE" and not _is_of_conflict(pieces, number) else None
    return None


def _is_of_conflict(pieces: Sequence[Piece], where: int) -> bool:
    """Whether that WHERE chooses which conflicts are settled, not which rows are put in."""
    return any(one.word == "CONFLICT" and one.around == pieces[where].around for one in pieces[:where])


def _is_distinct_from(pieces: Sequence[Piece], number: int) -> bool:
    return number > 0 and (pieces[number - 1].word, pieces[number].word) == ("DISTINCT", "FROM")


def _compares(pieces: Sequence[Piece], place: int, operator: tuple[str, ...], key: BatchKey, engine: Engine) -> bool:
    """Whether ``[alias.]key operator`` stands before ``place``, and the comparison is whole."""
    start = place - len(operator)
    said = pieces[max(start, 0) : place]
    if tuple(one.word for one in said) != operator or said[0].token.start != said[-1].token.end - len(operator):
        return False
    if start < 2 or not is_called(pieces[start - 1].word, key.column, engine):
        return False
    begin = start - 2
    while begin >= 1 and pieces[begin].word == ".":
        begin -= 2
    follows = pieces[place + 1].word if place + 1 < len(pieces) else ")"
    return begin >= 0 and _joins(pieces, begin) and follows in _AFTER


def _joins(pieces: Sequence[Piece], begin: int) -> bool:
    """Whether a condition of its own begins behind ``begin``: behind the AND of BETWEEN none does."""
    if pieces[begin].word != "AND":
        return pieces[begin].word in _OR | {"WHERE"}
    open_betweens = 0
    for piece in pieces[:begin]:
        if piece.around == pieces[begin].around:
            open_betweens += piece.word == "BETWEEN"
            open_betweens -= piece.word == "AND" and open_betweens > 0
    return open_betweens == 0


def _qualifier(pieces: Sequence[Piece], place: int, length: int) -> str:
    """What is written before the key's dot; empty without one."""
    begin = place - length - 2
    return pieces[begin - 1].word if begin > 0 and pieces[begin].word == "." else ""


def _is_of_table(pieces: Sequence[Piece], after: int, said: set[str], key: BatchKey, engine: Engine) -> bool:
    """Whether both bounds compare the same table's column, and it is that of the key, read on their own level."""
    level = [one for one in pieces[:after] if one.around == pieces[after].around]
    tables = [n for n, one in enumerate(level) if is_called(one.word, key.table, engine) and _is_read(level, n)]
    if len(said) != 1 or not tables:
        return False
    (qualifier,) = said
    if not qualifier or is_called(qualifier, key.table, engine):
        return True
    aliases = [_alias(level, number) for number in tables]
    return any(_is_same(qualifier, alias) for alias in aliases)


def _is_read(level: Sequence[Piece], number: int) -> bool:
    """Whether a table stands there, whose rows are read: not one that they are put into."""
    while number >= 2 and level[number - 1].word == ".":
        number -= 2
    before = level[number - 1].word if number else ""
    if before != ",":
        return before in _BEFORE_TABLES
    clause = (one.word for one in reversed(level[:number]) if one.word in _CLAUSES)
    return next(clause, "") in ("FROM", "JOIN", "UPDATE", "USING", "ON")


def _alias(level: Sequence[Piece], number: int) -> str:
    """The word that may be the alias of the table there."""
    rest = [one.word for one in level[number + 1 : number + 4] if one.word != "*"]
    rest = rest[1:] if rest[:1] == ["AS"] else rest
    return rest[0] if rest else ""


def _is_same(one: str, other: str) -> bool:
    return bool(other) and one.strip('"`').lower() == other.strip('"`').lower()


def _beside(pieces: Sequence[Piece], number: int, engine: Engine) -> Iterator[Fault]:
    """What must not stand on the level of the bounds, nor around them."""
    word, before = pieces[number].word, pieces[number - 1].word if number else ""
    is_or = engine == "mysql" and word == before == "|"
    cut = f"{before} {word}" if word == "LOCKED" else word
    if word in _OR or is_or:
        what = "beside the bounds, OR takes rows of other batches"
        yield Fault(pieces[number], what, "put it in parentheses")
    elif cut in _CUT[engine]:
        what = f"{cut} leaves rows out, and no other batch comes back to them"
        yield Fault(pieces[number], what, "leave it out: `-- adx: batch_rows=N` says how many")
    elif word in _SETS:
        what = f"beside {word} there are rows that the bounds do not cut, and every batch would do them"
        yield Fault(pieces[number], what, "give each of the queries a script of its own")
    elif (before, word) == ("BY", "SOURCE"):
        what = "what is not matched by the source is every row of the other batches"
        yield Fault(pieces[number], what, "give it a script of its own")


def _around(pieces: Sequence[Piece], after: int, depth: int, wanted: str) -> Iterator[Fault]:
    """What is wrong with the parentheses around the bounds that open on level ``depth``."""
    outside = pieces[after].around[:depth]
    opened = max(n for n, one in enumerate(pieces[:after]) if one.word == "(" and one.around == outside)
    before = pieces[opened - 1].word if opened else ""
    level = [one.word for one in pieces if one.around == outside]
    is_narrow = before in _NARROWING and not (before in ("FROM", "JOIN") and _OUTER.intersection(level))
    if not is_narrow or (before == "IN" and not _is_condition(pieces, opened)):
        what = f"in parentheses behind {before or 'nothing'} the bounds do not decide which rows are done"
        fix = f"write `{wanted}` behind the WHERE of the statement, or of a query behind FROM, JOIN, IN or WITH … AS"
        yield Fault(pieces[opened], what, fix)


def _is_condition(pieces: Sequence[Piece], opened: int) -> bool:
    """Whether ``… IN (`` is a condition of a WHERE by itself, and not turned round."""
    if _where(pieces, opened) is None:
        return False
    for piece in reversed(pieces[:opened]):
        if piece.around == pieces[opened].around:
            if piece.word == "NOT":
                return False
            if piece.word in ("AND", "WHERE"):
                break
    inside = len(pieces[opened].around) + 1
    rest = [one.word for one in pieces[opened + 1 :] if len(one.around) < inside]
    return (rest[1] if len(rest) > 1 else ")") in _AFTER
