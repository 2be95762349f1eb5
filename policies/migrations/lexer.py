"""SQL text → tokens, as the servers' own lexers cut it. Knows no grammar. Pure.

PostgreSQL: scan.l with ``standard_conforming_strings`` on, which is its default
(a script may not change it). Strings continued on the next line keep the rules
of their beginning, block comments nest, ``$`` belongs to a name once inside it.
MySQL and MariaDB: sql_lex.cc with the default sql_mode (no ANSI_QUOTES, no
NO_BACKSLASH_ESCAPES; a script may not change it). ``--`` begins a comment only
before white space, block comments do not nest, ``/*!`` is code.

Why not a library: docs/adr/0010.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from policies.migrations.spec import Engine

Kind = Literal["space", "comment", "string", "name", "word", "number", "semicolon", "backslash", "executable", "other"]


class Token(NamedTuple):
    """``text[start:end]`` of a script; ``name`` is a quoted one, ``executable`` a ``/*!`` or its end."""

    kind: Kind
    start: int
    end: int


class LexError(ValueError):
    """Something that begins at ``position`` never ends."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position
        self.what = what


_LETTER = r"A-Za-z_\u0080-\U0010ffff"
_POSTGRES = re.compile(
    rf"""(?P<space>[ \t\n\r\f\v]+)
    |(?P<line>--[^\n\r]*)
    |(?P<block>/\*)
    |(?P<escape>[eE]')
    |(?P<string>(?:[bBxXnN]|[uU]&)?')
    |(?P<name>(?:[uU]&)?")
    |(?P<dollar>\$(?:[{_LETTER}][{_LETTER}0-9]*)?\$)
    |(?P<word>[{_LETTER}][{_LETTER}0-9$]*)
    |(?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<semicolon>;)
    |(?P<backslash>\\)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_MYSQL = re.compile(
    r"""(?P<space>[ \t\n\r\f\v]+)
    |(?P<line>(?:--(?=[\x00-\x20\x7f]|\Z)|\#)[^\n]*)
    |(?P<executable>/\*M?!)
    |(?P<block>/\*)
    |(?P<string>['"])
    |(?P<name>`)
    |(?P<word>[A-Za-z0-9_$\u0080-\U0010ffff]+)
    |(?P<semicolon>;)
    |(?P<backslash>\\)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_NESTING = re.compile(r"/\*|\*/")
# White space with a line end in it, comments of two hyphens included, then a quote: the string goes on (scan.l).
_CONTINUED = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'")


def tokens(text: str, engine: Engine) -> Iterator[Token]:
    """Every token of ``text``, white space and comments included: together they are the whole text.

    Raises LexError when a string, name or comment does not end.
    """
    return _postgres(text) if engine == "postgresql" else _mysql(text)


def _postgres(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        token = _postgres_at(text, position)
        yield token
        position = token.end


def _postgres_at(text: str, start: int) -> Token:
    match = _POSTGRES.match(text, start)
    if match is None:
        raise LexError(start, "this is no text of SQL")
    group, end = match.lastgroup, match.end()
    if group == "line":
        return Token("comment", start, end)
    if group == "block":
        return Token("comment", start, _nested_end(text, start))
    if group == "string":
        return Token("string", start, _string_end(text, start, end, has_escapes=False))
    if group == "escape":
        return Token("string", start, _string_end(text, start, end, has_escapes=True))
    if group == "name":
        return Token("name", start, _quoted_end(text, start, end, '"'))
    if group == "dollar":
        closing = text.find(match.group(), end)
        if closing < 0:
            raise LexError(start, f"the text that begins with {match.group()} does not end")
        return Token("string", start, closing + len(match.group()))
    return Token(group, start, end)  # type: ignore[arg-type] # the other groups are called like their kinds


def _nested_end(text: str, start: int) -> int:
    depth = 0
    for match in _NESTING.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise LexError(start, "the comment does not end")


def _string_end(text: str, start: int, inside: int, *, has_escapes: bool) -> int:
    """The end of a string of PostgreSQL whose first character is at ``inside``, continuations included."""
    end = _quoted_end(text, start, inside, "'", has_escapes=has_escapes)
    while (continued := _CONTINUED.match(text, end)) is not None:
        end = _quoted_end(text, start, continued.end(), "'", has_escapes=has_escapes)
    return end


def _quoted_end(text: str, start: int, inside: int, quote: str, *, has_escapes: bool = False) -> int:
    """The end of what ``quote`` ends and a doubled ``quote`` does not."""
    position = inside
    while position < len(text):
        character = text[position]
        if has_escapes and character == "\\":
            position += 2
        elif character != quote:
            position += 1
        elif text.startswith(quote, position + 1):
            position += 2
        else:
            return position + 1
    raise LexError(start, f"what {quote} begins here does not end")


def _mysql(text: str) -> Iterator[Token]:
    position, opened = 0, -1
    while position < len(text):
        if opened >= 0 and text.startswith("*/", position):
            token = Token("executable", position, position + 2)
            opened = -1
        else:
            token = _mysql_at(text, position)
            if token.kind == "executable":
                opened = position
        yield token
        position = token.end
    if opened >= 0:
        raise LexError(opened, "the comment does not end")


def _mysql_at(text: str, start: int) -> Token:
    match = _MYSQL.match(text, start)
    if match is None:
        raise LexError(start, "this is no text of SQL")
    group, end = match.lastgroup, match.end()
    if group == "line":
        return Token("comment", start, end)
    if group == "block":
        closing = text.find("*/", end)
        if closing < 0:
            raise LexError(start, "the comment does not end")
        return Token("comment", start, closing + 2)
    if group == "string":
        return Token("string", start, _quoted_end(text, start, end, match.group(), has_escapes=True))
    if group == "name":
        return Token("name", start, _quoted_end(text, start, end, "`"))
    return Token(group, start, end)  # type: ignore[arg-type] # the other groups are called like their kinds
