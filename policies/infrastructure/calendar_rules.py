"""Rules about when rollouts may start: freezes and windows, by the clocks of their time zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, repeated, suggestion
from policies.infrastructure.spec import Freeze
from policies.local_time import instant, shown_instead, wall_time, zone_names, zone_of

_NO_DATABASE = "this machine has no time zone database: install the package tzdata"


@environment_rule("infrastructure.time-zone")
def time_zones_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Freezes and windows are meant in a time zone of the IANA database."""
    spec = declared.environment
    zones = [(f"freezes[{index}]", freeze.time_zone) for index, freeze in enumerate(spec.freezes)]
    zones += [(f"windows[{index}]", window.time_zone) for index, window in enumerate(spec.windows)]
    for path, zone in zones:
        if zone_of(zone) is None:
            otherwise = "name a zone of the IANA database" if zone_names() else _NO_DATABASE
            fix = suggestion(zone, zone_names(), otherwise)
            yield _finding(environment, f"{path}.time_zone", f"there is no time zone {zone}", fix)


@environment_rule("infrastructure.freeze-name")
def freeze_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Each freeze has a name of its own: people override it by that."""
    for index, name, first in repeated(freeze.name for freeze in declared.environment.freezes):
        what = f"the name {name} is already taken by freezes[{first}]"
        yield _finding(environment, f"freezes[{index}].name", what, "give each freeze a name of its own")


@environment_rule("infrastructure.freeze-time")
def freeze_times_exist(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A freeze begins and ends at times that the calendar and the clocks have."""
    for index, freeze in enumerate(declared.environment.freezes):
        for key, text in (("from", freeze.from_), ("until", freeze.until)):
            trouble = _trouble(text, freeze.time_zone)
            if trouble is not None:
                yield _finding(environment, f"freezes[{index}].{key}", *trouble)


@environment_rule("infrastructure.freeze-order")
def freezes_end_after_they_begin(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A freeze is over after it has begun."""
    for index, freeze in enumerate(declared.environment.freezes):
        period = _period(freeze)
        if period is not None and period[1] <= period[0]:
            what = f"the freeze {freeze.name} is over at {freeze.until}, before it begins at {freeze.from_}"
            yield _finding(environment, f"freezes[{index}].until", what, f"write a time after {freeze.from_}")


@environment_rule("infrastructure.window-time")
def windows_are_not_empty(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A window does not end when it begins: whether that is no time or a whole day, nobody can tell."""
    for index, window in enumerate(declared.environment.windows):
        if window.from_ == window.until:
            what = f"the window ends at {window.until}, when it begins"
            fix = 'write the time at which it ends; a whole day is from "00:00" until "24:00"'
            yield _finding(environment, f"windows[{index}].until", what, fix)


@environment_rule("infrastructure.window-repeated")
def windows_are_written_once(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """No window is there twice."""
    windows = declared.environment.windows
    texts = (f"{sorted(window.days)} {window.from_} {window.until} {window.time_zone}" for window in windows)
    for index, _, first in repeated(texts):
        yield _finding(environment, f"windows[{index}]", f"this is the same window as windows[{first}]", "keep one")


def _trouble(text: str, time_zone: str) -> tuple[str, str] | None:
    """What is wrong with a local time and what would be right; the zone itself is another rule's."""
    wall, zone = wall_time(text), zone_of(time_zone)
    if wall is None:
        return f"the calendar has no {text}", "write a day and a time that exist"
    instead = shown_instead(wall, zone) if zone is not None else None
    if instead is None:
        return None
    shown = instead.isoformat(timespec="minutes")
    return f"the clocks of {time_zone} never show {text}: they go forward over it", f"write {shown}"


def _period(freeze: Freeze) -> tuple[datetime, datetime] | None:
    """Beginning and end as instants; None where the other rules find something."""
    begins, ends, zone = wall_time(freeze.from_), wall_time(freeze.until), zone_of(freeze.time_zone)
    if begins is None or ends is None or zone is None:
        return None
    return instant(begins, zone), instant(ends, zone, is_last=True)


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "environment"), path=path, what=what, fix=fix)


CALENDAR_RULES: tuple[Rule, ...] = (
    time_zones_exist,
    freeze_names_are_unique,
    freeze_times_exist,
    freezes_end_after_they_begin,
    windows_are_not_empty,
    windows_are_written_once,
)
