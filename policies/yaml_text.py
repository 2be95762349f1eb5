"""Whether the bytes of a file are text that everybody reads alike. Knows nothing of YAML.

Refused are other encodings than UTF-8, control characters, and characters that
hide: what is invisible or changes the direction of writing can make a reviewer
read something else than the machine. Words that mix alphabets are refused for
the same reason: with a Cyrillic first letter, ``acme`` is another word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from policies.spec import Spec

MAX_FILE_BYTES = 1024 * 1024

_TEXT_BYTES = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_MIXED_ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "FULLWIDTH"})
_WORD = re.compile(r"[^\W\d_]+")
# Control characters (a carriage return counts unless a line feed follows), separators that YAML 1.1 takes for
# line ends, bidirectional controls, zero-width and other characters without a glyph, tags, private use, non-characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufeff\uffa0\ufff0-\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U0010ffff]|\r(?!\n)"
)
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Refusal(Spec):
    """One thing wrong at a place in a text; line and column count from 1. ``rule`` names the rule broken."""

    line: int
    column: int
    what: str
    fix: str
    rule: str
    is_fatal: bool = True


def is_plain_ascii(data: bytes) -> bool:
    """Whether ``data`` has only printable ASCII, tabs and line feeds, so that nothing here can be wrong with it."""
    return not data.translate(None, _TEXT_BYTES)


def refusals_of_text(data: bytes) -> Iterator[Refusal]:
    """Everything wrong with ``data`` as text; lazily, so that asking for the first is cheap."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            what = f"the file starts with a byte order mark ({encoding})"
            yield Refusal(line=1, column=1, what=what, fix="save it as UTF-8 without BOM", rule="text.encoding")
            return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8"), error.start)
        what = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        yield Refusal(line=line, column=column, what=what, fix="save the file as UTF-8", rule="text.encoding")
        return
    yield from refusals_of_characters(text)


def refusals_of_characters(text: str) -> Iterator[Refusal]:
    """Hidden characters and words of mixed alphabets in ``text``, wherever it comes from."""
    for match in _HIDDEN.finditer(text):
        yield _hidden(text, match.start())
    if not text.isascii():
        for match in _WORD.finditer(text):
            if not match.group().isascii():
                yield from _mixed(text, match)


def visible(text: str) -> str:
    """``text`` on one line with every hidden character written as an escape, so that it can be shown."""
    return _HIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text).replace("\n", "\\n")


def _hidden(text: str, offset: int) -> Refusal:
    line, column = _place(text, offset)
    character = text[offset]
    name = unicodedata.name(character, "a control or unassigned character")
    kind = "changes the direction of writing" if character in _BIDIRECTIONAL else "cannot be seen"
    return Refusal(
        line=line,
        column=column,
        what=f"U+{ord(character):04X} ({name}) {kind}",
        fix="delete it",
        rule="text.hidden-character",
    )


def _mixed(text: str, match: re.Match[str]) -> Iterator[Refusal]:
    """A word of letters from several alphabets that look alike; nothing is quoted but the odd letter."""
    alphabets = [_alphabet(character) for character in match.group()]
    kinds = {alphabet for alphabet in alphabets if alphabet in _MIXED_ALPHABETS}
    if len(kinds) < 2 and "FULLWIDTH" not in kinds:
        return
    odd = next(index for index, alphabet in enumerate(alphabets) if alphabet in kinds - {"LATIN"})
    line, column = _place(text, match.start() + odd)
    letter = match.group()[odd]
    yield Refusal(
        line=line,
        column=column,
        what=f"U+{ord(letter):04X} ({unicodedata.name(letter, '?')}) stands among letters of another alphabet",
        fix="write the whole word in one alphabet",
        rule="text.mixed-alphabets",
    )


def _alphabet(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at ``offset``."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1
