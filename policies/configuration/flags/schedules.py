"""A schedule by the clocks of a time zone → a span of instants. Reads the machine's time zone database only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from policies.configuration.flags.spec import FlagSchedule
from policies.findings import suggestion
from policies.local_time import instant, shown_instead, wall_time, zone_names, zone_of

_NO_DATABASE = "this machine has no time zone database: install the package tzdata"


class Span(NamedTuple):
    """From ``start`` on and before ``end``: whole seconds since 1970, infinite where nothing is said."""

    start: float
    end: float

    def holds(self, now: float) -> bool:
        """Whether ``now`` (seconds since 1970) is in it."""
        return self.start <= now < self.end


def span_of(schedule: FlagSchedule) -> Span:
    """The span of a schedule that :func:`troubles` finds nothing wrong with; ValueError for another."""
    zone = zone_of(schedule.time_zone)
    if zone is None:
        raise ValueError(schedule.time_zone)
    found = []
    for text, is_last, otherwise in ((schedule.from_, False, -math.inf), (schedule.until, True, math.inf)):
        wall = None if text is None else wall_time(text)
        found.append(otherwise if wall is None else instant(wall, zone, is_last=is_last).timestamp())
    return Span(*found)


def troubles(schedule: FlagSchedule) -> Iterator[tuple[str, str, str]]:
    """Path within the schedule, what is wrong and what would be right."""
    if zone_of(schedule.time_zone) is None:
        otherwise = "name a zone of the IANA database" if zone_names() else _NO_DATABASE
        fix = suggestion(schedule.time_zone, zone_names(), otherwise)
        yield ".time_zone", f"there is no time zone {schedule.time_zone}", fix
        return
    if schedule.from_ is None and schedule.until is None:
        yield "", "the schedule says neither from nor until", "set at least one of the two, or leave the schedule out"
    found = [(key, *_trouble(text, schedule.time_zone)) for key, text in _times(schedule)]
    wrong = [(f".{key}", what, fix) for key, what, fix in found if what]
    yield from wrong
    if not wrong and _is_empty(schedule):
        what = f"it is over at {schedule.until}, before it begins at {schedule.from_}"
        yield ".until", what, f"write a time after {schedule.from_}"


def _times(schedule: FlagSchedule) -> list[tuple[str, str]]:
    return [(key, text) for key, text in (("from", schedule.from_), ("until", schedule.until)) if text is not None]


def _is_empty(schedule: FlagSchedule) -> bool:
    span = span_of(schedule)
    return span.end <= span.start


def _trouble(text: str, time_zone: str) -> tuple[str, str]:
    """What is wrong with a local time and what would be right; empty texts for nothing."""
    wall, zone = wall_time(text), zone_of(time_zone)
    if wall is None:
        return f"the calendar has no {text}", "write a day and a time that exist"
    instead = shown_instead(wall, zone) if zone is not None else None
    if instead is None:
        return "", ""
    shown = instead.isoformat(timespec="minutes")
    return f"the clocks of {time_zone} never show {text}: they go forward over it", f"write {shown}"
