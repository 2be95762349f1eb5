"""Makes text from outside inert in Markdown, HTML and Mermaid. Pure.

Names, values, titles and branch names are data: they can neither style, nor
link, nor mention anybody, nor break out of a table, a fence or a picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.yaml_text import visible

LONGEST_NAME = 160
LONGEST_PROSE = 1_000

# A word of prose that no Markdown dialect gives a meaning to, whatever stands around it.
_WORD = re.compile(r"[\"'(]{0,2}[^\W_]+(?:[.,'/%-]+[^\W_]+)*[.,;:!?%)\"'…]{0,3}|[→–·×…-]|•••")
# What GitHub makes a link of even without brackets: sites, tickets, commits.
_LINKED = re.compile(r"[\"'(]*(?:www\.|GH-\d|[0-9a-f]{7,40}\b)", re.IGNORECASE)
# What may stand around a word that becomes code, and stays outside it.
_AROUND = re.compile(r"([(]?)(.+?)([).,;:!?]*)")
_QUOTED = re.compile(r"`([^`]+)`([.,;:]?)")
_LIST_MARK = re.compile(r"\d+[.)]|-")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")


def one_line(text: str, most: int = LONGEST_NAME) -> str:
    """``text`` with everything hidden made visible, and cut after ``most`` characters."""
    shown = visible(text).encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def code(text: str, most: int = LONGEST_NAME) -> str:
    """``text`` as inline code, fit for sentences, lists, headings and table cells."""
    shown = one_line(text, most)
    if not shown.strip():
        return f"<code>{entities(shown)}</code>" if shown else "(empty)"
    if shown != shown.strip() or any(mark in shown for mark in ("`", "|", "\\", "<!--", "-->")):
        return f"<code>{entities(shown)}</code>"
    return f"`{shown}`"


def codes(texts: Sequence[str], most: int) -> str:
    """The first ``most`` of ``texts`` as code, and how many more there are; one more is told as well."""
    most += len(texts) == most + 1
    listed = ", ".join(map(code, texts[:most]))
    more = len(texts) - most
    return f"{listed} and {more:,} more" if more > 0 else listed


def prose(text: str) -> str:
    """A sentence: ordinary words stay words, everything else becomes code."""
    words = one_line(text, LONGEST_PROSE).split()
    return " ".join(_word(word, is_first=number == 0) for number, word in enumerate(words))


def _word(word: str, *, is_first: bool) -> str:
    is_ordinary = _WORD.fullmatch(word) is not None and _LINKED.match(word) is None
    if is_ordinary and not (is_first and _LIST_MARK.fullmatch(word)):
        return word
    quoted = _QUOTED.fullmatch(word)
    if quoted is not None:
        return code(quoted.group(1)) + quoted.group(2)
    around = _AROUND.fullmatch(word)
    return f"{around[1]}{code(around[2])}{around[3]}" if around is not None else code(word)


def link(words: str, address: str) -> str:
    """A link under ``words`` (which must be our own); an address that is no plain web address is only shown."""
    if _ADDRESS.fullmatch(address):
        return f"[{words}](<{address.replace('&', '&amp;')}>)"
    return code(address)


def entities(text: str) -> str:
    """``text`` with every character that could mean anything written as a character reference."""
    return "".join(
        character if character.isalnum() or character in " /.,…" else f"&#{ord(character)};" for character in text
    )


def fenced(lines: Sequence[str], language: str) -> str:
    """A block of ``lines``, in a fence longer than any that stands in them."""
    inert = [line.replace("<!--", "<\\u0021--").replace("-->", "--\\u003e") for line in map(_encodable, lines)]
    longest = max((len(run) for line in inert for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *inert, fence]) + "\n"


def _encodable(line: str) -> str:
    return visible(line).encode("utf-8", "backslashreplace").decode()


def mermaid_label(text: str) -> str:
    """``text`` as a quoted label of a Mermaid diagram."""
    shown = one_line(text, 60)
    return "".join(
        character if character.isalnum() or character in " /.,:" else f"#{ord(character)};" for character in shown
    )
