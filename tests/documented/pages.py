"""Finds what the pages document: the commands of their shell blocks, and `adx` in the middle of sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.documented.shell import is_plain, lines_of, programs_of

ROOT = Path(__file__).parents[2]
LANGUAGES = frozenset({"sh", "bash", "console", "shell"})

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w-]*)")
_SPAN = re.compile(r"(`+)(?P<text>[^`]+)\1")
_ENDS_WITH = re.compile(r"exit(?:s| status| code)?(?: with)? (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """One documented command. ``place`` is ``page:line``; ``text`` has no comment and no continued lines."""

    place: str
    text: str
    comment: str = ""

    @property
    def programs(self) -> list[tuple[str, ...]]:
        """What it runs, as words."""
        return programs_of(self.text)

    @property
    def is_plain_adx(self) -> bool:
        """Whether it is `adx` alone, with words that no shell would touch."""
        return is_plain(self.text) and self.programs[0][0] == "adx"

    @property
    def documented_exit(self) -> int:
        """The exit status that its comment names; 0 where it names none."""
        found = _ENDS_WITH.search(self.comment)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Block:
    """The commands of one fenced block, in order: they share a shell and a folder."""

    place: str
    commands: tuple[Command, ...]


def pages() -> list[Path]:
    """Every page, in a fixed order."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks() -> list[Block]:
    """Every shell block of every page."""
    found = (_blocks_of(page.read_text("utf-8"), page.relative_to(ROOT).as_posix()) for page in pages())
    return [block for of_page in found for block in of_page]


def spans() -> list[Command]:
    """Every `adx …` with at least one word that stands in a sentence, a heading or a table."""
    return [span for page in pages() for span in _spans_of(page.read_text("utf-8"), page.relative_to(ROOT).as_posix())]


def _blocks_of(text: str, page: str) -> Iterator[Block]:
    for line, language, body in _fenced(text):
        if language in LANGUAGES:
            lines = lines_of(body, is_console=language == "console")
            commands = tuple(Command(f"{page}:{line + 1 + one.number}", one.text, one.comment) for one in lines)
            yield Block(f"{page}:{line}", commands)


def _fenced(text: str) -> Iterator[tuple[int, str, str]]:
    """The line number of every fence (from 1), the language, and what is in it; indented ones in lists, too."""
    opened: re.Match[str] | None = None
    begun, body = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if opened is None:
            if match:
                opened, begun, body = match, number, []
        elif match and match["fence"].startswith(opened["fence"]) and not match["language"]:
            yield begun, opened["language"], "\n".join(body)
            opened = None
        else:
            body.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise ValueError(f"the fence of line {begun} is not closed")


def _spans_of(text: str, page: str) -> Iterator[Command]:
    prose = list(text.splitlines())
    for line, _, body in _fenced(text):
        for number in range(line - 1, line + len(body.splitlines()) + 1):
            prose[number] = ""
    whole = "\n".join(prose)
    for match in _SPAN.finditer(whole):
        words = " ".join(match["text"].split())
        if re.search(r"(^|/|=\S* )adx [a-z-]", words):
            yield Command(f"{page}:{whole.count(chr(10), 0, match.start()) + 1}", words)
