"""A statement that runs batch by batch: where its bounds stand, whether it can be run so, how fast it goes. Pure.

A script whose header names ``batch=table.key`` has one statement, and in it, once each and beside one another,

    key > :after AND key <= :upto

The spelling is fixed, so that a reader sees at once that batches neither overlap nor leave anything out, and so that
the first of them can begin *at* the smallest key: nothing is smaller than it, so there is no value for ``:after``.
Values are never pasted: each placeholder becomes one of the driver's.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.migrations.batch_bounds import RANGE, BatchKey, faults_of
from policies.migrations.batch_pieces import Bound, Piece, bound_of, is_called, pieces_of
from policies.migrations.headers import Wrong
from policies.migrations.model import Header, Script, Statement
from policies.migrations.spec import Engine

TARGET_SECONDS = 1.0
_VERBS = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE", "WITH"})


def batch_key(header: Header) -> BatchKey | None:
    """What the header says; None for a script that is not batched."""
    table, _, column = header.batch.partition(".")
    return BatchKey(table, column) if header.batch else None


def wrong_batches(script: Script, engine: Engine) -> Iterator[Wrong]:
    """Everything that keeps a script from running batch by batch, and bounds in a script that says nothing of it."""
    key = batch_key(script.header)
    if key is None:
        for statement in script.statements:
            for piece in pieces_of(statement.text, engine):
                if bound_of(piece) is not None:
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
    for piece in pieces_of(text, engine):
        bound = bound_of(piece)
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
    for piece in reversed(list(pieces_of(text, engine))):
        bound = bound_of(piece)
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
    pieces = list(pieces_of(statement.text, engine))
    wanted = RANGE.format(key.column)
    if statement.words[0] not in _VERBS:
        what = f"{statement.words[0]} is not run in batches: what writes rows is"
        yield _at(statement, pieces[0], what, "write UPDATE, DELETE or INSERT … SELECT")
    if not any(is_called(piece.word, key.table, engine) for piece in pieces):
        what = f"the header cuts {key.table} into batches, and the statement does not name it"
        yield _at(statement, pieces[0], what, "name the table in both")
    places = {bound: [n for n, one in enumerate(pieces) if bound_of(one) == bound] for bound in ("after", "upto")}
    for bound, found in places.items():
        if len(found) != 1:
            what = f":{bound} stands in the statement {len(found)} times, not once"
            place = pieces[found[1]] if found else pieces[0]
            yield _at(statement, place, what, f"write `{wanted}` (not in a string, comment or subscript)")
    if all(len(found) == 1 for found in places.values()):
        yield from (_at(statement, *fault) for fault in faults_of(pieces, key, engine))


def _literal(text: str) -> str:
    """``text`` as drivers take it beside placeholders."""
    return text.replace("%", "%%")


def _at(statement: Statement, piece: Piece, what: str, fix: str) -> Wrong:
    line = statement.line + statement.text.count("\n", 0, piece.token.start)
    return Wrong(line=line, what=what, fix=fix, rule="migrations.batch")
