"""One bake: the new release is looked at every so often until its time is over, or until it is found to be worse."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import datetime

from policies.desired_state import DesiredState
from policies.services.analysis import judge as analysis
from policies.services.analysis.declared import rules_of
from policies.services.analysis.looks import Look, planned_looks
from policies.services.analysis.models import Evidence, Verdict
from policies.services.releases import delivery_of
from policies.services.spec import AnalysisRules
from workflows.errors import AdxConnectionError, AdxTimeoutError, ReleaseRejected
from workflows.runtime import Runtime
from workflows.services.measuring import Subject, Window, measure
from workflows.services.models import BakeRequest
from workflows.services.release_plan import inputs_of
from workflows.services.settings import METRICS
from workflows.services.vitals import EVERY_SECONDS, Vitals
from workflows.step_runner import Report

LONGEST_COMPARISON_SECONDS = 3600.0
"""How far back the old release is looked at where it gets no requests any more."""
METRICS_AWAY_SECONDS = 600.0
"""How long the last look waits for metrics; before it, a look that cannot be had is left out."""


class Judge:
    """Judges the release of ``request`` by the rules that ``state`` declares. ``clock`` gives Temporal's time."""

    def __init__(self, runtime: Runtime, state: DesiredState, request: BakeRequest, clock: Callable[[], float]) -> None:
        self._runtime, self._request, self._change, self._clock = runtime, request, request.of.change, clock
        self._environment = state.environment
        self._declared = delivery_of(inputs_of(state, self._change.service)).analysis
        self._evidence = Evidence()
        self._vitals = Vitals(runtime, state, self._change, clock)

    async def until_over(self, began_at: datetime, report: Report) -> str:
        """A line about the last look. Raises ReleaseRejected."""
        began, bake_seconds = began_at.timestamp(), self._request.bake_seconds
        line = f"healthy for {bake_seconds} s"
        times = look_times(bake_seconds, self._change.interval_seconds)
        for number, at_seconds in enumerate(times, start=1):
            is_last = number == len(times)
            await self._vitals.until(began + at_seconds)
            # Of copies nobody waits for the answers: they warm green up, and show whether it lives.
            if self._declared is None or not (self._change.interval_seconds and self._request.weight_percent):
                continue
            if not is_last and self._clock() >= began + times[number]:
                continue  # this attempt follows one that was lost: the next look sees all that this one would
            look = Look(self._looks_before() + number, self._looks_in_all(), is_last=is_last)
            verdict = await self._patiently(self._declared, began, look, report)
            if verdict is None:
                continue
            line = told(verdict)
            report(f"{self._request.weight_percent} %: {line}")
            if verdict.outcome == "fail":
                raise self._rejected(verdict, self._clock() - began)
        return line

    async def _patiently(self, declared: AnalysisRules, began: float, look: Look, report: Report) -> Verdict | None:
        """The verdict; None where the metrics are away. The last look waits for them: without it nothing is proven."""
        patience_ends = time.monotonic() + METRICS_AWAY_SECONDS
        while True:
            try:
                return await self._look(declared, Window(began, self._clock()), look)
            except (AdxConnectionError, AdxTimeoutError) as error:
                report(f"{self._request.weight_percent} %: {error}; asked again")
                if not look.is_last:
                    return None
                if time.monotonic() >= patience_ends:
                    raise ReleaseRejected(
                        f"{self._change.name}: nothing is known of it, the metrics are away: {error}",
                        next_step="bring Prometheus back, then `adx deploy --force`",
                    ) from error
                await asyncio.sleep(EVERY_SECONDS)

    async def _look(self, declared: AnalysisRules, window: Window, look: Look) -> Verdict:
        change = self._change
        evidence = await measure(
            self._runtime.environ[METRICS],
            Subject(self._environment, change.registered_name, change.green, change.blue),
            window,
            queries={rule.name: rule.query for rule in declared.queries},
            interval_seconds=change.interval_seconds,
            blue_window=self._before(window) if self._request.weight_percent == 100 else None,
        )
        self._evidence = evidence
        return analysis.judge(rules_of(declared), evidence, look)

    def _before(self, window: Window) -> Window:
        """The time that lies before the switch, as long as the one since: then blue had requests."""
        seconds = min(
            max(window.end_seconds - window.start_seconds, self._change.interval_seconds), LONGEST_COMPARISON_SECONDS
        )
        return Window(window.start_seconds - seconds, window.start_seconds)

    def _looks_in_all(self) -> int:
        return planned_looks(self._bakes(), self._change.interval_seconds)

    def _looks_before(self) -> int:
        """The looks at the shares before this one: all are looks at the same release."""
        before = [one.bake_seconds for one in self._change.shifts if one.weight_percent < self._request.weight_percent]
        return sum(len(look_times(seconds, self._change.interval_seconds)) for seconds in before if seconds)

    def _bakes(self) -> list[int]:
        return [shift.bake_seconds for shift in self._change.shifts if shift.bake_seconds]

    def _rejected(self, verdict: Verdict, after_seconds: float) -> ReleaseRejected:
        requests = self._evidence.green.requests
        return ReleaseRejected(
            f"{self._change.name} at {self._request.weight_percent} % after {after_seconds:.0f} s: {verdict.reason}; "
            f"{requests.total} requests reached it, {requests.failed} failed",
            next_step=f"correct {self._change.service} and merge again",
        )


def look_times(bake_seconds: int, interval_seconds: int) -> list[int]:
    """When a bake is looked at, in seconds from its begin: every interval, and at its end. Pure."""
    if not interval_seconds:
        return [bake_seconds]
    count = max(1, math.ceil(bake_seconds / interval_seconds))
    return [*(interval_seconds * number for number in range(1, count)), bake_seconds]


def told(verdict: Verdict) -> str:
    """A verdict in one line. Pure."""
    return f"{verdict.outcome}: {verdict.reason}"
