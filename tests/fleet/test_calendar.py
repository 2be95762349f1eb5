"""When rollouts are held: examples that people would look up, and a minute by minute comparison."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policies.infrastructure.spec import Freeze, Window
from workflows.fleet.calendar import MAX_PERIODS, CalendarUnreadable, hold_until, read_calendar
from workflows.fleet.models import Calendar, Closed

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORK = ("mon", "tue", "wed", "thu", "fri")
MINUTE = timedelta(minutes=1)


def freeze(begins: str, ends: str, zone: str = "Europe/Berlin", name: str = "year-end") -> Freeze:
    """A freeze of the local times."""
    return Freeze(name=name, reason="The books are closed.", from_=begins, until=ends, time_zone=zone)


def window(begins: str, ends: str, zone: str = "Europe/Berlin", days: tuple[str, ...] = WORK) -> Window:
    """A window of the local times."""
    return Window(days=days, from_=begins, until=ends, time_zone=zone)


def at(text: str) -> datetime:
    """An instant, given in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def free_at(text: str, *, freezes: tuple[Freeze, ...] = (), windows: tuple[Window, ...] = ()) -> datetime | None:
    """Until when there is a hold; None when there is none."""
    hold = hold_until(at(text), freezes, windows)
    return hold.until if hold is not None else None


def test_nothing_declared_holds_nothing() -> None:
    """No freeze and no window: always."""
    assert hold_until(at("2026-11-24T12:00"), (), ()) is None


def test_a_freeze_holds_from_its_first_second_and_not_in_its_last() -> None:
    """By the clocks of its zone, which are an hour ahead of UTC in winter."""
    freezes = (freeze("2026-12-18T18:00", "2027-01-04T08:00"),)
    assert free_at("2026-12-18T16:59:59", freezes=freezes) is None
    assert free_at("2026-12-18T17:00", freezes=freezes) == at("2027-01-04T07:00")
    assert free_at("2027-01-04T06:59:59", freezes=freezes) == at("2027-01-04T07:00")
    assert free_at("2027-01-04T07:00", freezes=freezes) is None


def test_who_waits_is_told_what_for_in_the_words_of_the_declaration() -> None:
    """Freeze, reason and local time; then the window that opens after it, in its own zone."""
    windows = (window("09:00", "17:00", "Asia/Tokyo", ("sun",)), window("09:00", "17:00", "America/New_York"))
    hold = hold_until(at("2026-12-19T00:00"), (freeze("2026-12-18T18:00", "2027-01-04T08:00"),), windows)
    assert hold is not None
    assert hold.names == ("freeze year-end", "windows")
    assert hold.why == (
        "freeze year-end (The books are closed.) until 2027-01-04 08:00 in Europe/Berlin; "
        "outside the windows until Mon 2027-01-04 09:00 in America/New_York"
    )
    assert hold.until == at("2027-01-04T14:00")


def test_overlapping_freezes_hold_until_the_last_is_over() -> None:
    """One begins while another holds, one inside another, one right after: it is one hold; a gap ends it."""
    freezes = (
        freeze("2026-12-01T00:00", "2026-12-05T00:00", "UTC", "a"),
        freeze("2026-12-02T00:00", "2026-12-03T00:00", "UTC", "b"),
        freeze("2026-12-04T00:00", "2026-12-08T00:00", "UTC", "c"),
        freeze("2026-12-08T00:00", "2026-12-09T00:00", "UTC", "d"),
        freeze("2026-12-09T00:01", "2026-12-10T00:00", "UTC", "e"),
    )
    hold = hold_until(at("2026-12-01T12:00"), freezes, ())
    assert hold is not None
    assert hold.until == at("2026-12-09T00:00")
    assert hold.names == ("freeze a", "freeze c", "freeze d")


def test_a_freeze_may_last_past_any_horizon() -> None:
    """Decades of freeze and a yearly quiet afterwards: the answer is exact."""
    freezes = (freeze("2026-01-01T00:00", "2060-02-29T12:00", "UTC"),)
    windows = (window("09:00", "10:00", "UTC", ("fri",)),)
    assert free_at("2026-06-01T00:00", freezes=freezes, windows=windows) == at("2060-03-05T09:00")


def test_a_freeze_that_ends_on_a_leap_day_does() -> None:
    """The 29th of February 2028 exists."""
    freezes = (freeze("2028-02-28T00:00", "2028-02-29T06:00", "UTC"),)
    assert free_at("2028-02-28T23:00", freezes=freezes) == at("2028-02-29T06:00")


def test_times_that_clocks_show_twice_are_the_longer_freeze() -> None:
    """On 25 October 2026 Berlin's clocks show 02:30 at 00:30 and at 01:30 UTC."""
    freezes = (freeze("2026-10-25T02:30", "2026-10-25T02:45"),)
    assert free_at("2026-10-25T00:29", freezes=freezes) is None
    assert free_at("2026-10-25T00:30", freezes=freezes) == at("2026-10-25T01:45")
    assert free_at("2026-10-25T01:45", freezes=freezes) is None


def test_a_window_moves_with_the_clocks() -> None:
    """Nine in Berlin is 08:00 UTC in winter and 07:00 in summer."""
    windows = (window("09:00", "17:00"),)
    assert free_at("2026-03-27T16:00", windows=windows) == at("2026-03-30T07:00")
    assert free_at("2026-03-27T15:59", windows=windows) is None
    assert free_at("2026-10-23T15:00", windows=windows) == at("2026-10-26T08:00")


def test_a_window_crosses_midnight_into_a_day_that_is_not_named() -> None:
    """Friday 22:00 to 02:00 is open on Saturday at one, and not on Friday at one."""
    windows = (window("22:00", "02:00", "UTC", ("fri",)),)
    assert free_at("2026-11-28T01:00", windows=windows) is None
    assert free_at("2026-11-28T02:00", windows=windows) == at("2026-12-04T22:00")
    assert free_at("2026-11-27T01:00", windows=windows) == at("2026-11-27T22:00")


def test_whole_days_join_without_a_gap() -> None:
    """Saturday and Sunday from 00:00 until 24:00 are one opening."""
    calendar = read_calendar(at("2026-11-27T12:00"), (), (window("00:00", "24:00", "UTC", ("sat", "sun")),))
    assert calendar.closed[0].ends_at == at("2026-11-28T00:00").timestamp()
    assert calendar.closed[1].begins_at == at("2026-11-30T00:00").timestamp()


def test_a_window_within_skipped_minutes_does_not_open_that_day() -> None:
    """On 29 March 2026 Berlin's clocks never show 02:15; the next Sunday they do."""
    windows = (window("02:10", "02:20", days=("sun",)),)
    assert free_at("2026-03-29T00:00", windows=windows) == at("2026-04-05T00:10")


def test_a_calendar_holds_everything_up_to_its_horizon() -> None:
    """Nights and the freeze, in order, apart, each with its reason."""
    freezes = (freeze("2026-11-26T12:00", "2026-11-27T12:00", "UTC"),)
    windows = (window("08:00", "16:00", "UTC", DAYS),)
    calendar = read_calendar(at("2026-11-25T10:00"), freezes, windows, horizon=timedelta(days=3))
    hours = [(period.begins_at - calendar.known_from) / 3600 for period in calendar.closed]
    lengths = [(period.ends_at - period.begins_at) / 3600 for period in calendar.closed]
    assert hours == [6, 26, 54]
    assert lengths == [16, 24, 16]
    assert "freeze year-end" in calendar.closed[1].why
    assert calendar.known_until == at("2026-11-28T10:00").timestamp()


def test_a_calendar_of_many_short_windows_is_cut_and_says_how_far_it_knows() -> None:
    """It stays small; whoever comes to its end reads on from there."""
    windows = tuple(window(f"{hour:02}:00", f"{hour:02}:30", "UTC", DAYS) for hour in range(24))
    calendar = read_calendar(at("2026-11-25T00:00"), (), windows)
    assert len(calendar.closed) == MAX_PERIODS
    assert calendar.known_until == calendar.closed[-1].ends_at
    assert calendar.known_until < at("2027-01-24T00:00").timestamp()


def test_an_unknown_zone_is_an_error_that_names_it() -> None:
    """Never a traceback, never a guess."""
    with pytest.raises(CalendarUnreadable, match="Europe/Berln") as refused:
        hold_until(at("2026-11-25T00:00"), (freeze("2026-01-01T00:00", "2026-01-02T00:00", "Europe/Berln"),), ())
    assert "adx validate" in refused.value.next_step


def test_a_time_without_a_zone_is_refused() -> None:
    """It could be anywhere's."""
    with pytest.raises(ValueError, match="no instant"):
        hold_until(datetime(2026, 11, 25), (), ())  # noqa: DTZ001 - that is the point


# What a brute-force reader of clocks would say. Each zone with a day around which its clocks do something odd.
JUMPS = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Pacific/Apia": ("2011-12-30", "2011-12-31"),
    "Asia/Kathmandu": ("2028-02-29", "2027-01-01"),
    "UTC": ("2028-02-28", "2026-12-31"),
}
SPAN_MINUTES = 4 * 24 * 60
places = st.sampled_from([(zone, day) for zone, days in JUMPS.items() for day in days])
minutes_of_day = st.integers(0, 24 * 60 - 1) | st.integers(60, 200)


def clock(minute: int) -> str:
    """``09:05``."""
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def window_lists(draw: st.DrawFn, zone: str) -> tuple[Window, ...]:
    """Up to two windows of any days and times."""
    found = []
    for _ in range(draw(st.integers(0, 2))):
        begins, ends = draw(st.lists(minutes_of_day, min_size=2, max_size=2, unique=True))
        days = draw(st.sets(st.sampled_from(DAYS), min_size=1))
        found.append(window(clock(begins), clock(ends), zone, tuple(days)))
    return tuple(found)


@st.composite
def freeze_lists(draw: st.DrawFn, zone: str, day: datetime) -> tuple[Freeze, ...]:
    """Up to three freezes around the day, at times that the clocks show."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        begins = day + timedelta(minutes=draw(st.integers(-1440, 2880)))
        ends = begins + timedelta(minutes=draw(st.integers(1, 1500)))
        texts = [wall.isoformat(timespec="minutes") for wall in (begins, ends)]
        found.append(freeze(*texts, zone, f"f{number}"))
    return tuple(found)


@cache
def minutes_and_walls(zone: str, day: datetime) -> tuple[list[datetime], list[datetime]]:
    """Every minute of eighteen days, from two days before ``day``: the instant, and what the clocks show then."""
    first = (day - timedelta(days=2)).replace(tzinfo=UTC)
    minutes = [first + MINUTE * number for number in range(SPAN_MINUTES + 14 * 24 * 60)]
    return minutes, [minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for minute in minutes]


class Clocks:
    """What the clocks of a zone show at every minute of a few days around a day, and what follows from that alone."""

    def __init__(self, zone: str, day: datetime, freezes: tuple[Freeze, ...], windows: tuple[Window, ...]) -> None:
        self.minutes, self.walls = minutes_and_walls(zone, day)
        self.first = self.minutes[0]
        self.windows = windows
        self.frozen = [False] * len(self.minutes)
        for one in freezes:
            begins, ends = (datetime.fromisoformat(text) for text in (one.from_, one.until))
            assume(begins in self.walls and ends in self.walls)
            last = len(self.walls) - 1 - self.walls[::-1].index(ends)
            for number in range(self.walls.index(begins), last):
                self.frozen[number] = True

    def is_closed(self, number: int) -> bool:
        """Whether nothing may be started in that minute."""
        return self.frozen[number] or (bool(self.windows) and not any(map(self._is_open_at(number), self.windows)))

    def _is_open_at(self, number: int) -> Callable[[Window], bool]:
        wall = self.walls[number]
        today, yesterday, shown = DAYS[wall.weekday()], DAYS[wall.weekday() - 1], wall.strftime("%H:%M")

        def is_open(one: Window) -> bool:
            if one.from_ < one.until:
                return today in one.days and one.from_ <= shown < one.until
            return (today in one.days and shown >= one.from_) or (yesterday in one.days and shown < one.until)

        return is_open


@given(place=places, data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_holds_are_what_somebody_with_a_clock_would_find(place: tuple[str, str], data: st.DataObject) -> None:
    """Given any freezes and windows around a day on which clocks jump, every minute agrees with reading the clock."""
    zone, day = place[0], datetime.fromisoformat(place[1])
    freezes, windows = data.draw(freeze_lists(zone, day)), data.draw(window_lists(zone))
    clocks = Clocks(zone, day, freezes, windows)
    start = data.draw(st.integers(0, SPAN_MINUTES - 1))
    free = next((number for number in range(start, len(clocks.minutes)) if not clocks.is_closed(number)), None)
    hold = hold_until(clocks.minutes[start], freezes, windows)
    if free is not None:
        assert (hold.until if hold is not None else clocks.minutes[start]) == clocks.minutes[free]
    calendar = read_calendar(clocks.first, freezes, windows, horizon=timedelta(minutes=SPAN_MINUTES))
    closed = [is_closed_in(calendar, int(minute.timestamp())) for minute in clocks.minutes[:SPAN_MINUTES]]
    assert closed == [clocks.is_closed(number) for number in range(SPAN_MINUTES)]


def is_closed_in(calendar: Calendar, second: int) -> bool:
    """Whether one of its periods covers the second."""
    assert calendar.known_from <= second < calendar.known_until
    periods: list[Closed] = calendar.closed
    return any(period.begins_at <= second < period.ends_at for period in periods)
