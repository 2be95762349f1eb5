"""What was measured of two releases, what is asked of them, and what is answered. Values that go through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["pass", "fail", "inconclusive"]
AtTheEnd = Literal["pass", "fail"]


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests of one release within a window, and how many of them failed. ValueError unless 0 ≤ failed ≤ total."""

    total: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.total:
            raise ValueError(f"{self.failed} of {self.total} requests cannot have failed")

    @property
    def failed_share(self) -> float:
        """From 0 to 1; 0 without requests."""
        return self.failed / self.total if self.total else 0.0

    def __add__(self, other: RequestCounts) -> RequestCounts:
        """The counts of two windows that do not overlap, or of two gateways."""
        return RequestCounts(self.total + other.total, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long requests took. ``cumulative[i]`` of them took at most ``bounds_seconds[i]``; its last entry is all.

    The bounds are finite and increasing; the last bucket, up to infinity, has a count and no bound, as JSON knows no
    infinity. ValueError when the counts fall or do not match the bounds.
    """

    bounds_seconds: tuple[float, ...] = ()
    cumulative: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if len(self.cumulative) != len(self.bounds_seconds) + 1:
            raise ValueError(f"{len(self.bounds_seconds)} bounds need one count more, not {len(self.cumulative)}")
        if list(self.bounds_seconds) != sorted(set(self.bounds_seconds)) or any(b <= 0 for b in self.bounds_seconds):
            raise ValueError(f"the bounds of a histogram must be positive and increase: {self.bounds_seconds}")
        if self.cumulative[0] < 0 or list(self.cumulative) != sorted(self.cumulative):
            raise ValueError(f"cumulative counts must not fall: {self.cumulative}")

    @property
    def total(self) -> int:
        """All requests."""
        return self.cumulative[-1]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one release did within a window."""

    requests: RequestCounts = RequestCounts()
    latency: Histogram = Histogram()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a declared query, ``at_seconds`` after its window began. Never NaN."""

    at_seconds: float
    value: float


@dataclass(frozen=True, slots=True)
class QueryValues:
    """The values of a declared query at the same instants, in order of time; an instant without data is left out."""

    green: tuple[Sample, ...] = ()
    blue: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was measured at one look: since the bake began, and in the last few intervals; queries by name.

    Without ``recent_green`` and ``recent_blue`` a release that breaks late is found late, as its good time outweighs
    the bad. ``is_same_time`` is False where blue gets no requests any more and its last window before the switch
    stands in.
    """

    green: Measured = Measured()
    blue: Measured = Measured()
    queries: Mapping[str, QueryValues] = field(default_factory=dict)
    is_same_time: bool = True
    recent_green: Measured | None = None
    recent_blue: Measured | None = None


@dataclass(frozen=True, slots=True)
class RateRule:
    """Failed requests, as shares from 0 to 1: green's at most ``worse_by`` above blue's, and at most ``at_most``."""

    worse_by: float | None = None
    at_most: float | None = None
    at_the_end: AtTheEnd = "fail"


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """A quantile (0.99): green's at most ``1 + worse_by`` times blue's, and at most ``at_most_seconds``."""

    quantile: float
    worse_by: float | None = None
    at_most_seconds: float | None = None
    at_the_end: AtTheEnd = "fail"


@dataclass(frozen=True, slots=True)
class QueryRule:
    """A declared query: green's value within limits, and worse than blue's by at most the share ``worse_by``.

    More is worse, unless only ``at_least`` is set: then less is.
    """

    name: str
    at_most: float | None = None
    at_least: float | None = None
    worse_by: float | None = None
    at_the_end: AtTheEnd = "fail"

    @property
    def is_less_worse(self) -> bool:
        """Whether a small value is the bad one."""
        return self.at_least is not None and self.at_most is None


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of green.

    ``false_fail``: the chance, over all looks and all rules of a deployment, that a release within its rules is failed.
    ``false_pass``: the chance that a release which breaks a rule is passed. ``at_the_end`` of a rule says what becomes
    of a check that is still inconclusive then; that there was nothing at all to look at is a failure in any case.
    """

    rate: RateRule | None = None
    latency: tuple[LatencyRule, ...] = ()
    queries: tuple[QueryRule, ...] = ()
    minimum_requests: int = 100
    false_fail: float = 0.05
    false_pass: float = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says. ``green`` and ``blue`` are its figures, in its own unit; None where there are none.

    ``is_no_data``: one of them had nothing to look at.
    """

    check: str
    outcome: Outcome
    reason: str
    green: float | None = None
    blue: float | None = None
    is_no_data: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Pass: shown to keep every rule. Fail: shown to break one. Inconclusive: the data do not tell yet."""

    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()
