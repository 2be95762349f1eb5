"""Ranges of semantic versions, written and read as npm has them. Pure.

::

    range        = alternative *( "||" alternative )        one of them holds
    alternative  = comparator *( " " comparator )           all of them hold
    comparator   = [ ">=" | ">" | "<=" | "<" | "=" | "^" | "~" ] version
    version      = MAJOR [ "." MINOR [ "." PATCH [ "-" PRE-RELEASE ] ] ]

Numbers that are left out stand for all: ``1.4`` is any 1.4.x, ``>1.4`` begins
at 1.5.0, ``<=1.4`` ends before 1.5.0. ``~1.4.2`` stays in 1.4; ``^1.4.2`` stays
in 1, ``^0.4.2`` in 0.4, ``^0.0.2`` is 0.0.2 alone.

A pre-release is in a range only where a comparator of the same alternative
names a pre-release of the same MAJOR.MINOR.PATCH: ``>=1.4`` is not a consent to
2.0.0-rc.1, ``>=2.0.0-rc.1`` is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from semver import Version

FORMS = 'write comparators such as ">=1.4 <2", "^1.4.2" or "~1.4 || >=2.1"'

_NUMBER = r"(0|[1-9][0-9]{0,8})"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = rf"{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?)?)?"
_COMPARATOR = re.compile(rf"(>=|<=|>|<|=|\^|~)?[ ]*{_VERSION}(?=[ ]|\Z)[ ]*")
_HOLDS: dict[str, Callable[[int], bool]] = {
    ">=": lambda order: order >= 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    "<": lambda order: order < 0,
    "=": lambda order: order == 0,
}
# Below every version of its MAJOR.MINOR.PATCH, pre-releases included.
_LOWEST = "0"


class RangeRefused(ValueError):
    """A text is no range. The message says why, and ends without a full stop."""


@dataclass(frozen=True)
class Bound:
    """``operator`` is one of >=, >, <=, < and =; the version is whole."""

    operator: str
    version: Version

    def allows(self, version: Version) -> bool:
        """Whether ``version`` lies on the right side, pre-releases like any other."""
        return _HOLDS[self.operator](version.compare(self.version))


@dataclass(frozen=True)
class Range:
    """One of ``alternatives`` must hold, and of it every bound."""

    alternatives: tuple[tuple[Bound, ...], ...]

    def allows(self, version: Version) -> bool:
        """Whether ``version`` is in the range."""
        return any(_allow(bounds, version) for bounds in self.alternatives)

    def is_possible(self) -> bool:
        """Whether there can be a version in the range."""
        return any(_allow(bounds, version) for bounds in self.alternatives for version in _candidates(bounds))


@dataclass(frozen=True)
class _Partial:
    """A version as it is written: what is left out is None."""

    major: int
    minor: int | None
    patch: int | None
    prerelease: str | None

    def first(self) -> Version:
        """The lowest release meant; the version itself when it is whole."""
        return Version(self.major, self.minor or 0, self.patch or 0, self.prerelease)

    def below(self) -> Version:
        """What a version must be under to lie under everything meant."""
        return self.first() if self.patch is not None else self.first().replace(prerelease=_LOWEST)

    def end(self, kept: int) -> Version:
        """Where that ends which has the first ``kept`` numbers in common, 1 to 3."""
        numbers = (self.major, self.minor or 0, self.patch or 0)
        major, minor, patch = (*numbers[: kept - 1], numbers[kept - 1] + 1, 0, 0)[:3]
        return Version(major, minor, patch, _LOWEST)

    @property
    def written(self) -> int:
        """How many of the three numbers are written."""
        return 1 + (self.minor is not None) + (self.patch is not None)


def parse_range(text: str) -> Range:
    """The range that ``text`` says. Raises RangeRefused."""
    return Range(tuple(tuple(_alternative(part.strip(" "))) for part in text.split("||")))


def _alternative(text: str) -> Iterator[Bound]:
    if not text:
        raise RangeRefused("there is nothing to compare with")
    place = 0
    while place < len(text):
        found = _COMPARATOR.match(text, place)
        if found is None:
            raise RangeRefused(f"{text[place:].partition(' ')[0]} is no comparator")
        operator, major, minor, patch, prerelease = found.groups()
        yield from _bounds(operator or "=", _Partial(int(major), _number(minor), _number(patch), prerelease))
        place = found.end()


def _bounds(operator: str, partial: _Partial) -> Iterator[Bound]:
    """What one comparator means."""
    written = partial.written
    if operator == "^":
        leading = next((index for index, number in enumerate(_numbers(partial)) if number), written - 1)
        yield from _between(partial, leading + 1)
    elif operator == "~":
        yield from _between(partial, min(written, 2))
    elif operator == "<":
        yield Bound("<", partial.below())
    elif operator == ">=":
        yield Bound(">=", partial.first())
    elif written == 3:
        yield Bound(operator, partial.first())
    elif operator == "=":
        yield from _between(partial, written)
    elif operator == ">":
        yield Bound(">=", partial.end(written).finalize_version())
    else:
        yield Bound("<", partial.end(written))


def _between(partial: _Partial, kept: int) -> Iterator[Bound]:
    yield Bound(">=", partial.first())
    yield Bound("<", partial.end(kept))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _numbers(partial: _Partial) -> list[int]:
    return [number for number in (partial.major, partial.minor, partial.patch) if number is not None]


def _allow(bounds: tuple[Bound, ...], version: Version) -> bool:
    if not all(bound.allows(version) for bound in bounds):
        return False
    if version.prerelease is None:
        return True
    core = version.finalize_version()
    return any(bound.version.prerelease and bound.version.finalize_version() == core for bound in bounds)


def _candidates(bounds: tuple[Bound, ...]) -> Iterator[Version]:
    """The lowest versions that can be in all of ``bounds``: if none of them is, no version is.

    The lowest release is 0.0.0 or follows a bound; the lowest pre-release of a
    version is its ``-0``, or a bound or what comes right after one.
    """
    yield Version(0)
    for bound in bounds:
        version = bound.version
        yield version.finalize_version()
        yield version.finalize_version().bump_patch()
        if version.prerelease is not None:
            yield version
            yield version.replace(prerelease=f"{version.prerelease}.0")
            yield version.replace(prerelease=_LOWEST)
