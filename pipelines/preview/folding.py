"""Fits a text of many parts into a limit: what matters least is left out first, and what is left out is counted.

Pure, and knows nothing of previews. Each section has an importance; the most
important takes the room that it needs, then the next. The first that does not
fit whole ends the list: everything less important only says how much it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_SHARE = 3  # no section takes more than a third of the limit, so that a flood of one kind leaves room for the others


_GROUP_END = "\n</details>\n"


@dataclass(frozen=True)
class Item:
    """One piece of a section; ``weight`` is how many things it tells. Items of one ``group`` come in a row."""

    text: str
    group: str = ""
    weight: int = 1


@dataclass(frozen=True)
class Section:
    """A part of the text: its title, then as many of ``items`` as there is room for.

    ``total`` is the weight of all items, ``noun`` what they are in the plural.
    A lower ``importance`` is kept longer. ``opening`` stands before the first
    item; with ``is_grouped`` each group is folded under its name instead.
    """

    importance: int
    title: str
    noun: str
    total: int
    items: Iterable[Item]
    opening: str = ""
    is_grouped: bool = False


@dataclass
class _Filled:
    """A section with what found room in it."""

    section: Section
    parts: list[str] = field(default_factory=list)
    shown: int = 0
    is_group_open: bool = False

    @property
    def left_out(self) -> int:
        return self.section.total - self.shown

    def text(self) -> str:
        body = "".join(self.parts) + (_GROUP_END if self.is_group_open else "")
        notice = _notice(self.left_out, self.section) if self.left_out else ""
        return self.section.title + (self.section.opening if self.parts else "") + body + notice


def size(text: str) -> int:
    """Characters as GitHub may count them at worst: those beyond the basic plane are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(start: str, sections: Iterable[Section], end: str, limit: int, whole: str) -> str:
    """``start``, the sections in their order, and ``end``: together at most ``limit`` characters (see :func:`size`).

    Where something is left out, a last line says what, and ``whole`` where
    everything is. Raises ValueError when not even the titles fit.
    """
    filled = [_Filled(section) for section in sections if section.total]
    titles = sum(size(one.section.title + _notice(one.section.total, one.section)) for one in filled)
    nouns = _summary([(one.section.total, one.section.noun) for one in filled], whole)
    room = limit - size(start) - size(end) - titles - size(nouns)
    if room < 0:
        raise ValueError(f"a limit of {limit} characters has no room for the titles")
    for one in sorted(filled, key=lambda one: one.section.importance):
        room = _fill(one, room, limit // _SHARE)
    left_out = [(one.left_out, one.section.noun) for one in filled if one.left_out]
    summary = _summary(left_out, whole) if left_out else ""
    return "".join([start, *(one.text() for one in filled), summary, end])


def _fill(filled: _Filled, room: int, share: int) -> int:
    """Puts in what fits; the room that is left: none when the room was too small, so that nothing follows."""
    section, spent, group = filled.section, size(filled.section.opening), ""
    for item in section.items:
        begin = _group_begin(item.group, group) if section.is_grouped else ""
        needed = size(begin + item.text) + (size(_GROUP_END) if begin else 0)
        if spent + needed > room:
            return 0
        if spent + needed > share:
            return room - (spent if filled.parts else 0)
        filled.parts.append(begin + item.text)
        filled.shown += item.weight
        filled.is_group_open = section.is_grouped
        spent, group = spent + needed, item.group
    return room - spent


def _group_begin(name: str, current: str) -> str:
    """The beginning of group ``name`` (HTML), and the end of the one before; nothing within a group."""
    if name == current:
        return ""
    end = _GROUP_END if current else ""
    return f"{end}<details><summary>{name}</summary>\n\n"


def _notice(count: int, section: Section) -> str:
    return f"\n… and {count:,} {section.noun} not shown here\n" if count else ""


def _summary(left_out: list[tuple[int, str]], whole: str) -> str:
    listed = ", ".join(f"{count:,} {noun}" for count, noun in left_out)
    return f"\n**Left out here to fit:** {listed}. {whole}\n"
