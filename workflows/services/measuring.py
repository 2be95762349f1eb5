"""Measures two releases of a service over the same time, from what the gateway counts and Prometheus keeps.

Counted are requests, not rates. PromQL's ``increase()`` extrapolates what lies between the first and the last sample of
a window to its ends, for each series on its own: the result is no whole number, a series that begins within the window
loses its first value, and green and blue are stretched by different factors. So the stored samples themselves are read,
and each counter's rise is added up from its last sample before the window to its last one within:

* both releases are counted by the same gateways, in the same scrapes, hence over exactly the same time;
* a fall is a restart: what is counted since is added, as PromQL does;
* a series without a sample before the window, of a target that was being scraped then, has begun at 0 (a gateway makes
  the series of status 500 at the first such answer). Of a target that was not, what its first sample holds is unknown
  and left out.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from policies.services.analysis import counters
from policies.services.analysis.models import Evidence, Measured, QueryValues, Sample
from workflows.clients.prometheus import Series, Server, opened
from workflows.errors import AdxValidationError

REQUESTS = "adx_gateway_requests_total"
DURATIONS = "adx_gateway_request_duration_seconds_bucket"
_BEFORE_SECONDS = 60.0
_RECENT_INTERVALS = 2
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w*)\}|(?P<bare>[A-Za-z_]\w*))")

_Target = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Window:
    """From just after ``start_seconds`` to ``end_seconds``, since the epoch. ValueError when it is empty."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        if self.end_seconds <= self.start_seconds:
            raise ValueError(f"the window from {self.start_seconds} to {self.end_seconds} is empty")


@dataclass(frozen=True, slots=True)
class Subject:
    """Which releases of what are compared; ``blue`` is empty where nothing served before.

    AdxValidationError for a name that could change the meaning of a query.
    """

    environment: str
    service: str
    green: str
    blue: str = ""

    def __post_init__(self) -> None:
        for value in (self.environment, self.service, self.green, self.blue or self.green):
            if not _LABEL_VALUE.fullmatch(value):
                raise AdxValidationError(f"{value!r} cannot be the value of a label in a query")


async def measure(
    url: str,
    subject: Subject,
    window: Window,
    *,
    queries: Mapping[str, str] | None = None,
    interval_seconds: int,
    blue_window: Window | None = None,
) -> Evidence:
    """What both releases did within ``window`` and lately, and the values of ``queries`` (by name), one every interval.

    Lately: the last two intervals, once the window is longer.

    ``blue_window``: the last time blue got requests, where it no longer gets any. Raises AdxConnectionError and
    AdxTimeoutError where Prometheus at ``url`` cannot be asked, AdxValidationError for a query that it refuses,
    that names an unknown variable or that gives more than one series for a release.
    """
    windows = {subject.blue: blue_window or window, subject.green: window}
    windows.pop("", None)
    async with opened(url) as server:
        stored, declared = await asyncio.gather(
            _stored(server, subject.service, windows),
            _declared(server, subject, windows, queries or {}, interval_seconds),
        )
    recent = _recent(window, interval_seconds)
    return Evidence(
        green=stored.within(subject.green, window),
        blue=stored.within(subject.blue, blue_window or window),
        queries=declared,
        is_same_time=blue_window is None,
        recent_green=stored.within(subject.green, recent) if recent else None,
        recent_blue=stored.within(subject.blue, blue_window or recent) if recent else None,
    )


def fill(text: str, subject: Subject, release: str, *, interval_seconds: int) -> str:
    """A declared query with ``$release``, ``$service``, ``$environment`` and ``$interval`` (``15s``) put in.

    ``${release}`` is the same. The values cannot end a string or a regular expression: ``Subject`` has seen them.
    AdxValidationError for another variable; a ``$`` that begins no name (the end of a regular expression) stays.
    """
    known = {
        "release": release,
        "service": subject.service,
        "environment": subject.environment,
        "interval": f"{interval_seconds}s",
    }

    def put(match: re.Match[str]) -> str:
        name = match["braced"] or match["bare"] or ""
        if name not in known:
            raise AdxValidationError(
                f"the query names ${name}, which is unknown: {text}",
                next_step=f"use {', '.join(f'${one}' for one in known)}",
            )
        return known[name]

    return _VARIABLE.sub(put, text)


@dataclass(frozen=True, slots=True)
class _Stored:
    """The samples of both releases' counters, and when each target answered a scrape."""

    requests: list[Series]
    durations: list[Series]
    scraped: Mapping[_Target, list[float]]

    def within(self, release: str, window: Window) -> Measured:
        """What ``release`` did; nothing for a release without series."""
        by_code = [
            (series.labels.get("code", ""), self._rise(series, window))
            for series in self.requests
            if series.labels["release"] == release
        ]
        by_gateway: defaultdict[tuple[tuple[str, str], ...], dict[float, int]] = defaultdict(dict)
        for series in self.durations:
            if series.labels["release"] == release:
                gateway = tuple(sorted((name, value) for name, value in series.labels.items() if name != "le"))
                by_gateway[gateway][float(series.labels["le"])] = self._rise(series, window)
        return Measured(counters.requests_by_code(by_code), counters.histogram(by_gateway.values()))

    def _rise(self, series: Series, window: Window) -> int:
        before = window.start_seconds - _BEFORE_SECONDS
        return counters.rise(
            [sample for sample in series.samples if sample[0] > before],
            after_seconds=window.start_seconds,
            until_seconds=window.end_seconds,
            began_at_0=any(before < at <= window.start_seconds for at in self.scraped.get(_target(series), ())),
        )


async def _stored(server: Server, service: str, windows: Mapping[str, Window]) -> _Stored:
    begin = min(window.start_seconds for window in windows.values()) - _BEFORE_SECONDS
    end = max(window.end_seconds for window in windows.values())
    wanted = f'{{service="{service}",release=~"{"|".join(windows)}"}}{_range(begin, end)}'
    requests, durations = await asyncio.gather(
        server.samples(f"{REQUESTS}{wanted}", at_seconds=end), server.samples(f"{DURATIONS}{wanted}", at_seconds=end)
    )
    scraped = await _scraped(server, {_target(series) for series in (*requests, *durations)}, begin, end)
    return _Stored(requests, durations, scraped)


async def _scraped(server: Server, targets: set[_Target], begin: float, end: float) -> dict[_Target, list[float]]:
    """When each of these targets answered a scrape."""
    if not targets:
        return {}
    instances = json.dumps("|".join(sorted({re.escape(instance) for _, instance in targets})), ensure_ascii=False)
    found = await server.samples(f"up{{instance=~{instances}}}{_range(begin, end)}", at_seconds=end)
    return {_target(series): [at for at, value in series.samples if value == 1] for series in found}


async def _declared(
    server: Server, subject: Subject, windows: Mapping[str, Window], queries: Mapping[str, str], interval_seconds: int
) -> dict[str, QueryValues]:
    """By name; all are filled in before any is asked."""
    asked = [
        (name, release, fill(text, subject, release, interval_seconds=interval_seconds))
        for name, text in queries.items()
        for release in windows
    ]
    found = await asyncio.gather(
        *(_values(server, name, text, windows[release], interval_seconds) for name, release, text in asked)
    )
    values = {(name, release): each for (name, release, _), each in zip(asked, found, strict=True)}
    return {name: QueryValues(values[name, subject.green], values.get((name, subject.blue), ())) for name in queries}


async def _values(server: Server, name: str, text: str, window: Window, interval_seconds: int) -> tuple[Sample, ...]:
    """One value at the end of each whole interval of ``window``; none where the query has no data."""
    if window.start_seconds + interval_seconds > window.end_seconds:
        return ()
    found = await server.over_time(
        text,
        start_seconds=window.start_seconds + interval_seconds,
        end_seconds=window.end_seconds,
        step_seconds=interval_seconds,
    )
    if len(found) > 1:
        raise AdxValidationError(
            f"the query {name} gives {len(found)} series for one release: {text}",
            next_step="let it give one, for example with sum() around it",
        )
    return tuple(Sample(round(at - window.start_seconds, 3), value) for series in found for at, value in series.samples)


def _recent(window: Window, interval_seconds: int) -> Window | None:
    start = window.end_seconds - _RECENT_INTERVALS * interval_seconds
    return Window(start, window.end_seconds) if start > window.start_seconds else None


def _target(series: Series) -> _Target:
    return series.labels.get("job", ""), series.labels.get("instance", "")


def _range(begin: float, end: float) -> str:
    return f"[{round((end - begin) * 1000)}ms]"
