"""Splits the text of a shell block into commands, and a command into the programs that it runs. Pure.

As much of the shell's grammar (POSIX.1-2024, XCU 2) as documents use: quotes, continued lines, comments, operators,
redirections, assignments, substitutions, loops and here-documents.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

_PROMPT = re.compile(r"^\s*[$#] ")
_OPENING = re.compile(r"(?:^|[;&|]\s*|\s)(until|while|for|if|case)\s")
_CLOSING = re.compile(r"(?:^|[;&|\s])(done|fi|esac)(?=$|[\s;&|)])")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_REDIRECTION = re.compile(r"\d*(?:<|>|>>|>&|<&|>\|)")
_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_WORDS_BEFORE_A_COMMAND = frozenset({"until", "while", "if", "then", "else", "do", "done", "fi", "!", "{", "}", "time"})
_OPERATORS = frozenset({";", "&", "&&", "|", "||", "(", ")"})


@dataclass(frozen=True)
class Line:
    """A command as it stands there, without its ``comment``; ``number`` is its first line in the block, from 0."""

    number: int
    text: str
    comment: str


def lines_of(block: str, *, is_console: bool = False) -> list[Line]:
    """The commands of a block. Of a console's record only lines with a prompt (``$`` or ``#``) are commands."""
    found: list[Line] = []
    text, comments, first, delimiter = "", list[str](), 0, ""
    for number, written in enumerate(block.splitlines()):
        line = written
        if delimiter:
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n{written}")
            delimiter = "" if written == delimiter else delimiter
            continue
        if not text:
            if is_console and not _PROMPT.match(line):
                continue
            if is_console or line.lstrip().startswith("$ "):
                line = _PROMPT.sub("", line, count=1)
            first, comments = number, []
        code, comment, is_open = _without_comment(text + line)
        text, is_continued = (code[:-1] + " ", True) if code.endswith("\\") else (code.rstrip(), False)
        comments += [comment] if comment else []
        if is_open or is_continued or _depth(text) > 0:
            text += "" if is_continued else "\n"
            continue
        if text.strip():
            found.append(Line(first, text.strip(), " ".join(comments)))
            here = _HERE.search(text)
            delimiter = here[2] if here else ""
        text = ""
    if delimiter:
        raise ValueError(f"the document does not end: {found[-1].text}")
    if text.strip():
        raise ValueError(f"the command does not end: {text.strip()}")
    return found


def _without_comment(text: str) -> tuple[str, str, bool]:
    """``text`` up to a comment that begins a word, the comment, and whether a quotation is still open."""
    quote, before, position = "", " ", 0
    while position < len(text):
        here = text[position]
        if quote:
            if here == "\\" and quote == '"':
                position += 1
            elif here == quote:
                quote = ""
        elif here == "\\":
            position += 1
        elif here in "'\"":
            quote = here
        elif here == "#" and before in " \t\n;&|(":
            return text[:position].rstrip(), text[position + 1 :].strip(), False
        before, position = here, position + 1
    return text, "", bool(quote)


def _depth(text: str) -> int:
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)
    return len(_OPENING.findall(bare)) - len(_CLOSING.findall(bare))


def programs_of(text: str) -> list[tuple[str, ...]]:
    """Every program that a command runs, with its arguments: of pipelines, lists, loops and substitutions.

    Assignments and redirections are left out; variables stay as they are written.
    """
    if here := _HERE.search(text):
        text = text.partition("\n")[0].replace(here[0], "")
    inner = [program for found in _SUBSTITUTION.findall(text) for program in programs_of(found)]
    lexer = shlex.shlex(text.replace("\n", " "), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split, lexer.commenters = True, ""
    outer = [program for part in _parts(list(lexer)) if (program := _program(part))]
    return outer + inner


def _parts(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in _OPERATORS:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _program(words: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    own = iter(words)
    for word in own:
        if match := _REDIRECTION.match(word):
            if match.end() == len(word):
                next(own, None)
        elif found or not (word in _WORDS_BEFORE_A_COMMAND or _ASSIGNMENT.match(word)):
            found.append(word)
    return tuple(found)


def is_plain(text: str) -> bool:
    """Whether the shell would hand the words over as they stand: nothing to expand, to redirect or to join."""
    return not re.search(r"[$`*?\[\];&|<>(){}]|^\w+=", re.sub(r"'[^']*'", "", text))
