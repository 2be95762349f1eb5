"""How fast units of a rollout end, and how long the rest will take. Pure: fed with looks at a rollout.

Only time counts in which units are under way and nobody has paused: waiting
for an approval, a window or a bake says nothing about the speed. Where too
little was seen to tell, nothing is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from workflows.fleet.models import CANCELLING, PENDING, SKIPPED, STARTED, FleetState
from workflows.fleet.state import UNDER_WAY, count, reach

WINDOW_SECONDS = 300.0
"""How much of the past, in time that counts, decides about the speed of now."""
FARTHEST = 20
"""How many times as many units as were seen to end may remain for their time to be told."""
_AFTER_THE_BAKE = ("recheck", "rechecking", "next")


@dataclass(frozen=True)
class Rate:
    """``units`` ended within ``seconds`` in which units were under way."""

    units: int
    seconds: float

    @property
    def per_minute(self) -> float:
        """Units per minute."""
        return self.units * 60 / self.seconds


@dataclass
class PaceMeter:
    """Measures one rollout; give it every look, in order."""

    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _last: tuple[FleetState, float] | None = None
    _is_anchored: bool = False

    def look(self, state: FleetState, now: datetime) -> None:
        """Take in how the rollout stands at ``now``."""
        at = now.timestamp()
        if self._last is None:
            # Somebody who joins a delivery does not know when it began: what ends first is where measuring begins.
            self._is_anchored = not ended(state) and not count(state, UNDER_WAY)
            self._samples.append((0.0, 0))
        else:
            self._add(*self._last, state, at)
        self._last = state, at

    @property
    def rate(self) -> Rate | None:
        """The speed of the last minutes; None where nothing was seen to end."""
        if not self._samples:
            return None
        (first_at, first_ended), (last_at, last_ended) = self._samples[0], self._samples[-1]
        units, seconds = last_ended - first_ended, last_at - first_at
        return Rate(units, seconds) if units > 0 and seconds > 0 else None

    def _add(self, before: FleetState, before_at: float, state: FleetState, at: float) -> None:
        if before.is_paused or not count(before, UNDER_WAY):
            return
        newly = max(0, ended(state) - ended(before))
        if not self._is_anchored:
            self._is_anchored = newly > 0
            return
        seconds, units = self._samples[-1]
        self._samples.append((seconds + at - before_at, units + newly))
        while len(self._samples) > 2 and self._samples[1][0] <= self._samples[-1][0] - WINDOW_SECONDS:
            self._samples.popleft()


def ended(state: FleetState) -> int:
    """How many units have been delivered, or failed; what became of them later does not matter."""
    return len(state.units) - count(state, PENDING + STARTED + CANCELLING + SKIPPED)


def remaining_seconds(state: FleetState, rate: Rate | None, now: datetime) -> float | None:
    """How long until the last unit has ended and the last bake is over; None where there is no basis to tell.

    Counted are the units at ``rate``, declared bakes, freezes and closed
    windows. Nobody knows how long approvals, pauses and gates take.
    """
    if state.ending or state.outcome is not None:
        return None
    left = count(state, PENDING + UNDER_WAY)
    if left and (rate is None or left > FARTHEST * rate.units):
        return None
    delivering_seconds = left * rate.seconds / rate.units if rate is not None else 0.0
    at = now.timestamp()
    return _with_holds(state, at, delivering_seconds if left else 0.0) + _bakes_seconds(state, at)


def _with_holds(state: FleetState, at: float, seconds: float) -> float:
    """``seconds`` of delivering, and the times within them at which nothing may start."""
    ends_at = at + seconds
    if PENDING not in state.marks:
        return seconds
    for period in state.calendar.closed if state.calendar is not None else []:
        begins_at = max(at, float(period.begins_at), float(state.overridden_until))
        if begins_at < period.ends_at and begins_at < ends_at:
            ends_at += period.ends_at - begins_at
    return ends_at - at


def _bakes_seconds(state: FleetState, at: float) -> float:
    """What is left of the current bake, and the bakes of the waves that are still to come."""
    bake_seconds = float(state.limits.bake_seconds)
    if not bake_seconds:
        return 0.0
    places = [reach(state, number) for number in range(state.opened, len(state.waves) + 1)]
    to_come = [begin for begin, end in pairwise(places) if PENDING in state.marks[begin:end]]
    # A last wave that no gate judges has nothing to prove.
    waves = len(to_come) - (1 if to_come and not state.limits.has_gates else 0)
    return waves * bake_seconds + _current_bake_seconds(state, at, is_last=not to_come)


def _current_bake_seconds(state: FleetState, at: float, *, is_last: bool) -> float:
    if not state.opened or state.phase in _AFTER_THE_BAKE or (is_last and not state.limits.has_gates):
        return 0.0
    if state.phase == "bake" and state.bake_ends_at:
        return max(0.0, state.bake_ends_at - at)
    return float(state.limits.bake_seconds)
