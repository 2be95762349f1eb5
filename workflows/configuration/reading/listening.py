"""Hears of changes by Redis publish/subscribe, for as long as the process runs.

A message may be lost while the connection is down, so everything is doubted
when it is back; a message that is not ours is reported and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from policies.configuration.values import ConfigurationKey
from workflows.clients.redis import CacheAway
from workflows.configuration.reading import entries
from workflows.configuration.reading.memory import Memory
from workflows.configuration.reading.model import Times
from workflows.configuration.reading.shared import SharedCache, changed_services

_log = logging.getLogger("adx.configuration")
Scope = tuple[str, str, str]


class Listener:
    """Doubts what has changed, and wakes whoever waits for it."""

    def __init__(self, shared: SharedCache | None, memory: Memory, times: Times) -> None:
        self.is_hearing = False
        self._shared = shared
        self._memory = memory
        self._times = times
        self._events: dict[Scope, asyncio.Event] = {}

    async def run(self) -> None:
        """Listen until cancelled; connect again whenever the connection is lost."""
        if self._shared is None:
            return
        while True:
            try:
                await self._listen(self._shared)
            except CacheAway:
                if self.is_hearing:
                    _log.warning("changes are not heard any more: Redis is away")
                    self._memory.shorten(self._times.unheard)
            finally:
                self.is_hearing = False
            await asyncio.sleep(self._times.retry)

    async def wait(self, scope: Scope, seconds: float) -> bool:
        """Whether something of ``scope`` changed within so many seconds."""
        event = self._events.setdefault(scope, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _listen(self, shared: SharedCache) -> None:
        async with shared.redis.listening(entries.CHANNEL) as following:
            self._memory.doubt_all()
            self.is_hearing = True
            while True:
                message = await following()
                if message is not None:
                    self._hear(shared, message)

    def _hear(self, shared: SharedCache, message: bytes) -> None:
        try:
            changed = entries.decode_changes(shared.authenticator, message)
        except ValueError as error:
            shared.forged_entries += 1
            _log.warning("a message about changes is dropped: it is %s", error)
            return
        self._memory.doubt(changed)
        self._wake(changed)

    def _wake(self, changed: Iterable[ConfigurationKey]) -> None:
        for scope in changed_services(changed):
            event = self._events.pop(scope, None)
            if event is not None:
                event.set()
