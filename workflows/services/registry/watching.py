"""What is known of one service: one watcher of the registry, whose answers all pickers share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from policies.errors import AdxError
from workflows.services.registry.interface import Instances, Registry
from workflows.telemetry import logs

_LOG = logs.logger("adx.discovery")


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Durations in seconds.

    ``stale`` is how long after the registry's last answer its instances are
    still given out. The registry is heard at least every ``heard_every``; after
    a failure it is asked again later and later, ``longest_backoff`` at most. Who
    asks for a service first waits ``first_answer`` at most.
    """

    stale: float = 300.0
    heard_every: float = 60.0
    first_answer: float = 5.0
    first_backoff: float = 0.1
    longest_backoff: float = 5.0

    @property
    def quiet(self) -> float:
        """How long a registry that is there may be silent; well below ``stale``, so that it never counts as away."""
        return min(self.heard_every, self.stale / 4)


class Known(NamedTuple):
    """What the registry said last: replaced as a whole. ``why`` says why it cannot be asked now; empty: it can."""

    instances: Instances
    heard_at: float
    valid_until: float
    why: str


NOTHING = Known((), 0.0, float("-inf"), "the registry has not answered yet")


class Watched:
    """The service ``name``, watched until ``close``. ``known`` may be read by any thread at any time."""

    def __init__(self, registry: Registry, name: str, times: Times, clock: Callable[[], float]) -> None:
        self.name, self.known = name, NOTHING
        self._registry, self._times, self._clock = registry, times, clock
        self._has_answered = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"watch {name}")
        self._task.add_done_callback(self._ended)

    async def first_answer(self) -> None:
        """Return once the registry has answered, or has not within ``first_answer`` seconds."""
        try:
            async with asyncio.timeout(self._times.first_answer):
                await self._has_answered.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """End watching; returns when nothing of it is left."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with aclosing(self._registry.watch(self.name, every_seconds=self._times.quiet)) as answers:
                    async for instances in answers:
                        failures = 0
                        self._hear(instances)
            except AdxError as error:
                self._miss(error, is_first=failures == 0)
            except Exception as error:  # noqa: BLE001 - a watcher that ended would never be begun again
                if failures == 0:
                    _LOG.error("watcher failed, and is begun anew", service=self.name, exc_info=error)
                self._miss(error, is_first=False)
            await asyncio.sleep(self._backoff_seconds(failures))
            failures += 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        """It ends by ``close`` only; by a mistake in it what is known becomes too old, and this says why."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("watcher failed", service=self.name, exc_info=error)

    def _hear(self, instances: Instances) -> None:
        if self.known.why and self.known is not NOTHING:
            _LOG.info("registry answers again", service=self.name, instances=len(instances))
        now = self._clock()
        self.known = Known(instances, now, now + self._times.stale, "")
        self._has_answered.set()

    def _miss(self, error: Exception, *, is_first: bool) -> None:
        """What was known stays, for as long as it is valid."""
        why = str(error) if isinstance(error, AdxError) else type(error).__name__
        if is_first:
            _LOG.warning("registry cannot be asked", service=self.name, why=why)
        self.known = self.known._replace(why=why)

    def _backoff_seconds(self, failures: int) -> float:
        longest = min(self._times.first_backoff * 2.0 ** min(failures, 16), self._times.longest_backoff)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing
