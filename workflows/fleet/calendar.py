"""When rollouts may start units: freezes and windows, by the clocks of their time zones.

A freeze holds from the first instant at which the clocks show its beginning to
the last at which they show its end. A window is open whenever the clocks show
a time within it: an hour that they skip is missing from it, an hour that they
repeat is in it twice. Everything is worked out in whole seconds of UTC.

Reads the time zone database, so workflows do not call this: an activity does,
and hands them a :class:`Calendar`, which stays what it was when a history is
replayed years later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from policies.errors import AdxError
from policies.infrastructure.spec import Freeze, Window
from policies.local_time import instant, wall_time, zone_of
from workflows.fleet.models import Calendar, Closed

HORIZON = timedelta(days=60)
MAX_PERIODS = 100
SHOWN = 3

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Mostly something opens soon; a window comes back every week, except where clocks skip it.
_LOOK_AHEAD_DAYS = (2, 8, 22)
_DAY_SECONDS = 24 * 3600
# Offsets change months or at least weeks apart, so that no two changes fall into one step.
_STEP_SECONDS = 6 * 3600

Period = tuple[int, int]


class CalendarUnreadable(AdxError):
    """A freeze or window cannot be understood on this machine."""


@dataclass(frozen=True)
class Hold:
    """Nothing may be started before ``until`` (UTC). ``names`` are the freezes and ``windows``; ``why`` says it all."""

    until: datetime
    names: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class _Frozen:
    begins_at: int
    ends_at: int
    freeze: Freeze


def hold_until(now: datetime, freezes: Sequence[Freeze], windows: Sequence[Window]) -> Hold | None:
    """What holds a rollout at ``now`` (aware), until nothing does any more; None when it may start units.

    Raises CalendarUnreadable.
    """
    frozen, at = _frozen(freezes), _seconds(now)
    names: dict[str, str] = {}
    while True:
        holding = [one for one in frozen if one.begins_at <= at < one.ends_at]
        if holding:
            names |= {f"freeze {one.freeze.name}": _freeze_words(one.freeze) for one in holding}
            at = max(one.ends_at for one in holding)
            continue
        opening = _next_opening(at, windows)
        if opening == at:
            break
        names["windows"] = f"outside the windows until {_shown(opening, _opened_by(windows, opening).time_zone)}"
        at = opening
    return Hold(datetime.fromtimestamp(at, UTC), tuple(names), _why(list(names.values()))) if names else None


def read_calendar(
    now: datetime, freezes: Sequence[Freeze], windows: Sequence[Window], *, horizon: timedelta = HORIZON
) -> Calendar:
    """Everything that holds rollouts between ``now`` and ``horizon`` later, at most MAX_PERIODS of it.

    Raises CalendarUnreadable.
    """
    begins_at = at = _seconds(now)
    ends_at = begins_at + int(horizon.total_seconds())
    frozen = _frozen(freezes)
    closed: list[Closed] = []
    while at < ends_at and len(closed) < MAX_PERIODS:
        hold = hold_until(datetime.fromtimestamp(at, UTC), freezes, windows)
        if hold is not None:
            closed.append(Closed(at, _seconds(hold.until), hold.why))
            at = closed[-1].ends_at
        else:
            at = _next_closing(at, ends_at, frozen, windows)
    return Calendar(begins_at, at, closed)


def _next_opening(at: int, windows: Sequence[Window]) -> int:
    """``at`` itself when a window is open then, else when one opens next."""
    if not windows:
        return at
    for days in _LOOK_AHEAD_DAYS:
        for begins_at, _ in _openings(windows, at, at + days * _DAY_SECONDS):
            return begins_at
    raise CalendarUnreadable(
        f"no window opens within {_LOOK_AHEAD_DAYS[-1]} days",
        next_step="correct the windows of environment.yaml",
    )


def _opened_by(windows: Sequence[Window], at: int) -> Window:
    """The first of those that are open at ``at``."""
    return next(window for window in windows if any(_open_periods(window, at, at + 1)))


def _next_closing(at: int, ends_at: int, frozen: Sequence[_Frozen], windows: Sequence[Window]) -> int:
    """Until when surely nothing holds after ``at``, at which nothing does; ``ends_at`` at the latest."""
    later = [one.begins_at for one in frozen if one.begins_at > at]
    if windows:
        later.append(next(_openings(windows, at, at + _LOOK_AHEAD_DAYS[0] * _DAY_SECONDS))[1])
    return min([*later, ends_at])


def _openings(windows: Sequence[Window], begins_at: int, ends_at: int) -> Iterator[Period]:
    """The times from ``begins_at`` until ``ends_at`` at which any window is open, in order, apart."""
    periods = sorted(period for window in windows for period in _open_periods(window, begins_at, ends_at))
    current: Period | None = None
    for period in periods:
        if current is None:
            current = period
        elif period[0] <= current[1]:
            current = (current[0], max(current[1], period[1]))
        else:
            yield current
            current = period
    if current is not None:
        yield current


def _open_periods(window: Window, begins_at: int, ends_at: int) -> Iterator[Period]:
    """While the offset of the zone stays the same, what clocks show is UTC and a number of seconds."""
    for stretch_begins_at, stretch_ends_at, offset in _stretches(_zone(window.time_zone), begins_at, ends_at):
        for wall_begin, wall_end in _wall_periods(window, stretch_begins_at + offset, stretch_ends_at + offset):
            period = max(wall_begin - offset, stretch_begins_at), min(wall_end - offset, stretch_ends_at)
            if period[0] < period[1]:
                yield period


def _wall_periods(window: Window, begins_at: int, ends_at: int) -> Iterator[Period]:
    """Each time that the window is there, in seconds that clocks show; one that began the day before included."""
    opens, closes = _second_of_day(window.from_), _second_of_day(window.until)
    length = closes - opens if closes > opens else closes + _DAY_SECONDS - opens
    for day in range(begins_at // _DAY_SECONDS - 1, ends_at // _DAY_SECONDS + 1):
        # 1 January 1970 was a Thursday.
        if _DAYS[(day + 3) % 7] in window.days:
            yield day * _DAY_SECONDS + opens, day * _DAY_SECONDS + opens + length


def _stretches(zone: ZoneInfo, begins_at: int, ends_at: int) -> Iterator[tuple[int, int, int]]:
    """Begin, end and offset (seconds) of every stretch of time in which the offset of ``zone`` stays the same."""
    at, offset = begins_at, _offset(zone, begins_at)
    for before, after in pairwise((*range(begins_at, ends_at, _STEP_SECONDS), ends_at)):
        if _offset(zone, after) != offset:
            change = _change(zone, before, after, offset)
            yield at, change, offset
            at, offset = change, _offset(zone, after)
    yield at, ends_at, offset


def _change(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first second between the two at which the offset is no longer ``offset``."""
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _frozen(freezes: Sequence[Freeze]) -> list[_Frozen]:
    return [
        _Frozen(
            _instant(freeze.from_, freeze.time_zone), _instant(freeze.until, freeze.time_zone, is_last=True), freeze
        )
        for freeze in freezes
    ]


def _instant(text: str, time_zone: str, *, is_last: bool = False) -> int:
    wall = wall_time(text)
    if wall is None:
        raise CalendarUnreadable(f"the calendar has no {text}", next_step="run `adx validate`")
    return _seconds(instant(wall, _zone(time_zone), is_last=is_last))


def _zone(name: str) -> ZoneInfo:
    zone = zone_of(name)
    if zone is None:
        raise CalendarUnreadable(
            f"this machine knows no time zone {name}",
            next_step="run `adx validate`; where it finds nothing, install the time zone database (package tzdata)",
        )
    return zone


def _seconds(at: datetime) -> int:
    """Whole seconds since 1970. A time without a zone could be anywhere's."""
    if at.tzinfo is None:
        raise ValueError("a time without a time zone is no instant")
    return int(at.timestamp() // 1)


def _second_of_day(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


def _freeze_words(freeze: Freeze) -> str:
    return f"freeze {freeze.name} ({freeze.reason}) until {freeze.until.replace('T', ' ')} in {freeze.time_zone}"


def _shown(at: int, time_zone: str) -> str:
    local = datetime.fromtimestamp(at, _zone(time_zone))
    return f"{_DAYS[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M} in {time_zone}"


def _why(words: Sequence[str]) -> str:
    more = len(words) - SHOWN
    return "; ".join(words[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
