"""A statement that runs batch by batch: where its bounds stand, whether it can be run so, how fast it goes. Pure.

A script whose header names ``batch=table.key`` has one statement, and in it, once each and beside one another,

    key > :after AND key <= :upto

The spelling is fixed, so that a reader sees at once that batches neither overlap nor leave anything out, and so that
the first of them can begin *at* the smallest key: nothing is smaller than it, so there is no value for ``:after``.
Values are never pasted: each placeholder becomes one of the driver's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from policies.migrations.headers import Wrong
from policies.migrations.lexer import Token, tokens
from policies.migrations.model import Header, Script, Statement
from policies.migrations.spec import Engine
from policies.migrations.statements import names, word_of

TARGET_SECONDS = 1.0
_RANGE = "{0} > :after AND {0} <= :upto"
_VERBS = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE", "WITH"})
_CLAUSES = frozenset({"WHERE", "SET", "SELECT", "FROM", "JOIN", "ON", "HAVING", "VALUES", "USING", "WHEN"})
_OR = frozenset({"OR", "XOR"})
_CUT = frozenset({"LIMIT", "FETCH"})
_BEFORE = frozenset({"WHERE", "AND", "("}) | _OR
_AFTER = frozenset({"AND", ")", "RETURNING", "ON", "GROUP", "ORDER", "HAVING", "UNION", "WHEN", "FOR"}) | _OR | _CUT

Bound = Literal["after", "upto"]


class BatchKey(NamedTuple):
    """The column by whose order batches are cut, as the catalog spells it."""

    table: str
    column: str


class _Piece(NamedTuple):
    """A token that is no space or comment: its word, its place, and the parentheses around it, outermost first."""

    word: str
    token: Token
    around: tuple[int, ...]


def batch_key(header: Header) -> BatchKey | None:
    """What the header says; None for a script that is not batched."""
    table, _, column = header.batch.partition(".")
    return BatchKey(table, column) if header.batch else None


def wrong_batches(script: Script, engine: Engine) -> Iterator[Wrong]:
    """Everything that keeps a script from running batch by batch, and bounds in a script that says nothing of it."""
    key = batch_key(script.header)
    if key is None:
        for statement in script.statements:
            for piece in _pieces(statement.text, engine):
                if _bound(piece) is not None:
                    what = f"{piece.word} is a bound of batches, and the header names no key"
                    yield _at(statement, piece, what, "add `-- adx: batch=table.key`")
        return
    if len(script.statements) > 1:
        what = f"a script in batches has one statement, this one has {len(script.statements)}"
        second = script.statements[1]
        yield Wrong(line=second.line, what=what, fix="give each a script of its own", rule="migrations.batch")
    for statement in script.statements[:1]:
        yield from _of_statement(statement, key, engine)


def bound_statement(text: str, engine: Engine, placeholder: str, *, is_first: bool) -> tuple[str, tuple[Bound, ...]]:
    """The statement as a driver takes it, and which bound each placeholder in it stands for, in order.

    ``placeholder`` holds one ``%s``. ``is_first``: the lower bound itself belongs to the batch.
    """
    shown, order, position = list[str](), list[Bound](), 0
    previous = 0
    for piece in _pieces(text, engine):
        bound = _bound(piece)
        if bound is not None:
            if is_first and bound == "after":  # ``>`` is what stands before it
                shown.append(f"{_literal(text[position:previous])}=")
                position = previous
            shown += [_literal(text[position : piece.token.start]), placeholder]
            order.append(bound)
            position = piece.token.end
        previous = piece.token.end
    return "".join([*shown, _literal(text[position:])]), tuple(order)


def as_numbered(text: str, engine: Engine) -> str:
    """``text`` with ``$1`` and ``$2`` for the bounds, everything else where it was: what PostgreSQL's parsers read."""
    for piece in reversed(list(_pieces(text, engine))):
        bound = _bound(piece)
        if bound is not None:
            number = "$1" if bound == "after" else "$2"
            text = text[: piece.token.start] + number.ljust(len(piece.word)) + text[piece.token.end :]
    return text


def next_rows(rows: int, most: int, seconds: float) -> int:
    """How many rows the next batch has: half of ``rows`` after one that took too long, up to twice after a short one.

    Between half of TARGET_SECONDS and all of it, a batch is as it should be.
    """
    if seconds > TARGET_SECONDS:
        return max(1, rows // 2)
    return min(most, rows * 2) if seconds < TARGET_SECONDS / 2 else min(most, rows)


def _of_statement(statement: Statement, key: BatchKey, engine: Engine) -> Iterator[Wrong]:
    pieces = list(_pieces(statement.text, engine))
    wanted = _RANGE.format(key.column)
    if statement.words[0] not in _VERBS:
        what = f"{statement.words[0]} is not run in batches: what writes rows is"
        yield _at(statement, pieces[0], what, "write UPDATE, DELETE or INSERT … SELECT")
    if not any(_is_called(piece.word, key.table, engine) for piece in pieces):
        what = f"the header cuts {key.table} into batches, and the statement does not name it"
        yield _at(statement, pieces[0], what, "name the table in both")
    places = {bound: [n for n, one in enumerate(pieces) if _bound(one) == bound] for bound in ("after", "upto")}
    for bound, found in places.items():
        if len(found) != 1:
            what = f":{bound} stands in the statement {len(found)} times, not once"
            place = pieces[found[1]] if found else pieces[0]
            yield _at(statement, place, what, f"write `{wanted}` (not in a string, comment or subscript)")
    if all(len(found) == 1 for found in places.values()):
        yield from _of_range(statement, pieces, (places["after"][0], places["upto"][0]), key, engine)


def _of_range(
    statement: Statement, pieces: Sequence[_Piece], places: tuple[int, int], key: BatchKey, engine: Engine
) -> Iterator[Wrong]:
    wanted = _RANGE.format(key.column)
    after, upto = places
    is_range = _compares(pieces, after, (">",), key, engine) and _compares(pieces, upto, ("<", "="), key, engine)
    is_one = pieces[after].around == pieces[upto].around and _clause(pieces, after) == "WHERE"
    if not (is_range and is_one):
        what = "the bounds are not compared so that batches neither overlap nor leave anything out"
        yield _at(statement, pieces[after], what, f"write `{wanted}`, behind WHERE, joined to the rest by AND")
        return
    for number, piece in enumerate(pieces):
        if piece.around != pieces[after].around:
            continue
        is_or = engine == "mysql" and piece.word == "|" and pieces[number - 1].word == "|"
        if piece.word in _OR or is_or:
            yield _at(statement, piece, "beside the bounds, OR takes rows of other batches", "put it in parentheses")
        elif piece.word in _CUT:
            what = f"{piece.word} leaves rows out, and no other batch comes back to them"
            yield _at(statement, piece, what, "leave it out: `-- adx: batch_rows=N` says how many")


def _compares(pieces: Sequence[_Piece], place: int, operator: tuple[str, ...], key: BatchKey, engine: Engine) -> bool:
    """Whether ``[alias.]key operator`` stands before ``place``, and the comparison is whole."""
    start = place - len(operator)
    said = pieces[max(start, 0) : place]
    if tuple(one.word for one in said) != operator or said[0].token.start != said[-1].token.end - len(operator):
        return False
    if start < 2 or not _is_called(pieces[start - 1].word, key.column, engine):
        return False
    begin = start - 2
    while begin >= 1 and pieces[begin].word == ".":
        begin -= 2
    follows = pieces[place + 1].word if place + 1 < len(pieces) else ")"
    return begin >= 0 and pieces[begin].word in _BEFORE and follows in _AFTER


def _clause(pieces: Sequence[_Piece], place: int) -> str:
    """The clause that ``place`` stands in, itself or with the parentheses around it."""
    around = pieces[place].around
    found = (one.word for one in reversed(pieces[:place]) if one.around == around[: len(one.around)])
    return next((word for word in found if word in _CLAUSES), "")


def _is_called(word: str, name: str, engine: Engine) -> bool:
    found = names((word,), engine)
    return found == (name,) or (engine == "mysql" and bool(found) and found[0].lower() == name.lower())


def _bound(piece: _Piece) -> Bound | None:
    return {":after": "after", ":upto": "upto"}.get(piece.word)  # type: ignore[return-value] # its own words


def _pieces(text: str, engine: Engine) -> Iterator[_Piece]:
    """The tokens of ``text``; a bound is one of them. In subscripts (``a[1:upto]``) and casts a colon is no bound."""
    opened, subscripts, count = list[int](), 0, 0
    found = [one for one in tokens(text, engine) if one.kind not in ("space", "comment")]
    skips = False
    for number, token in enumerate(found):
        word = word_of(text, token)
        if skips:
            skips = False
            continue
        subscripts += (word == "[") - (word == "]")
        if word == ":" and not subscripts and (bound := _joined(text, found, number)) is not None:
            yield _Piece(text[bound.start : bound.end], bound, tuple(opened))
            skips = True
            continue
        if word == ")" and opened:
            opened.pop()
        yield _Piece(word, token, tuple(opened))
        if word == "(":
            count += 1
            opened.append(count)


def _joined(text: str, found: Sequence[Token], number: int) -> Token | None:
    """Colon and name as one token, when they are a bound."""
    colon = found[number]
    name = found[number + 1] if number + 1 < len(found) else colon
    is_name = name.start == colon.end and text[name.start : name.end] in ("after", "upto")
    is_cast = colon.start > 0 and text[colon.start - 1] == ":"
    return Token("other", colon.start, name.end) if is_name and not is_cast else None


def _literal(text: str) -> str:
    """``text`` as drivers take it beside placeholders."""
    return text.replace("%", "%%")


def _at(statement: Statement, piece: _Piece, what: str, fix: str) -> Wrong:
    line = statement.line + statement.text.count("\n", 0, piece.token.start)
    return Wrong(line=line, what=what, fix=fix, rule="migrations.batch")
