"""Times by the clocks of a time zone, as instants. Reads the machine's time zone database and nothing else.

Twice a year most clocks jump. A time that they jump over (``02:30`` when two
becomes three) does not exist; one that they show twice has a first and a last
instant. Instants are aware datetimes in UTC: Python compares two times of one
zone by what their clocks show, which is wrong around a jump.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# Names in the database that are not places: another zone on every machine, or another count of seconds.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_OTHER_COUNTS = ("posix/", "right/")


@cache
def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name; None when there is none of that name."""
    if name in _NO_ZONES or name.startswith(_OTHER_COUNTS):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of the database
        return None


@cache
def zone_names() -> frozenset[str]:
    """All names that :func:`zone_of` knows; empty on a machine without a time zone database."""
    return frozenset(available_timezones() - _NO_ZONES)


def wall_time(text: str) -> datetime | None:
    """``2026-12-18T18:00`` as what clocks show, without a zone; None when the calendar has no such day or time."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def instant(wall: datetime, zone: ZoneInfo, *, is_last: bool = False) -> datetime:
    """When the clocks of ``zone`` show ``wall``, the first or the last time; as long after a gap as it lies in it."""
    return wall.replace(tzinfo=zone, fold=int(is_last and not _is_in_gap(wall, zone))).astimezone(UTC)


def shown_instead(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """What the clocks show instead of ``wall``, which they jump over; None when they do show it."""
    return instant(wall, zone).astimezone(zone).replace(tzinfo=None) if _is_in_gap(wall, zone) else None


def _is_in_gap(wall: datetime, zone: ZoneInfo) -> bool:
    there_and_back = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there_and_back.replace(tzinfo=None, fold=0) != wall
