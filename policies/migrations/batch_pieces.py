"""The words of a statement that runs batch by batch, with the parentheses around them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from policies.migrations.lexer import Token, tokens
from policies.migrations.spec import Engine
from policies.migrations.statements import names, word_of

Bound = Literal["after", "upto"]
_BOUNDS: dict[str, Bound] = {":after": "after", ":upto": "upto"}


class Piece(NamedTuple):
    """A token that is no space or comment: its word, its place, and the parentheses around it, outermost first."""

    word: str
    token: Token
    around: tuple[int, ...]


def is_called(word: str, name: str, engine: Engine) -> bool:
    """Whether ``word`` is a name, and this one."""
    found = names((word,), engine)
    return found == (name,) or (engine == "mysql" and bool(found) and found[0].lower() == name.lower())


def bound_of(piece: Piece) -> Bound | None:
    """Which bound the word is; None for any other."""
    return _BOUNDS.get(piece.word)


def pieces_of(text: str, engine: Engine) -> Iterator[Piece]:
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
            yield Piece(text[bound.start : bound.end], bound, tuple(opened))
            skips = True
            continue
        if word == ")" and opened:
            opened.pop()
        yield Piece(word, token, tuple(opened))
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
