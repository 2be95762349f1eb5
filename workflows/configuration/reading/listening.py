"""Hears of changes by Redis publish/subscribe, for as long as the process runs.

A message may be lost while the connection is down, so everything is doubted
when it is back, and whoever waits looks again, then and when it is lost; a
message that is not ours is reported and dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from policies.configuration.values import ConfigurationKey
from workflows.clients.redis import CacheAway
from workflows.configuration.reading import entries
from workflows.configuration.reading.model import Times
from workflows.configuration.reading.shared import SharedCache, changed_services

_log = logging.getLogger("adx.configuration")
Service = tuple[str, str, str]


class Doubting(Protocol):
    """What knows values, and is told of news."""

    def doubt(self, changed: Iterable[ConfigurationKey]) -> None:
        """These have changed."""

    def doubt_all(self) -> None:
        """News may have been missed."""

    def shorten(self, seconds: float) -> None:
        """News will not be heard: believe nothing for longer than about so long."""


class Listener:
    """Lets doubt what has changed, and wakes whoever waits for it."""

    def __init__(self, shared: SharedCache | None, doubting: Sequence[Doubting], times: Times) -> None:
        self.is_hearing = False
        self._shared = shared
        self._doubting = doubting
        self._times = times
        self._waiting: dict[Service, set[asyncio.Future[None]]] = {}

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
                    for one in self._doubting:
                        one.shorten(self._times.unheard)
                    self._wake(list(self._waiting))
            finally:
                self.is_hearing = False
            await asyncio.sleep(self._times.retry)

    async def wait(self, service: Service, seconds: float) -> bool:
        """Whether something of ``service`` changed, or may have without being heard, within so many seconds."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(service, set()).add(news)
        try:
            await asyncio.wait((news,), timeout=seconds)
            return news.done()
        finally:  # nothing is kept of a service that nobody waits for: anybody may name one
            waiting = self._waiting.get(service, set())
            waiting.discard(news)
            if not waiting:
                self._waiting.pop(service, None)

    async def _listen(self, shared: SharedCache) -> None:
        async with shared.redis.listening(entries.CHANNEL) as following:
            # Values are believed for long from here on: not while Redis is passed over because it was away.
            await shared.check()
            for one in self._doubting:
                one.doubt_all()
            self.is_hearing = True
            self._wake(list(self._waiting))
            while True:
                message = await following()
                if message is None:
                    await shared.check()
                else:
                    self._hear(shared, message)

    def _hear(self, shared: SharedCache, message: bytes) -> None:
        try:
            changed = entries.decode_changes(shared.authenticator, message)
        except ValueError as error:
            shared.forged_entries += 1
            _log.warning("a message about changes is dropped: it is %s", error)
            return
        for one in self._doubting:
            one.doubt(changed)
        self._wake(changed_services(changed))

    def _wake(self, services: Iterable[Service]) -> None:
        for service in services:
            for news in self._waiting.pop(service, ()):
                if not news.done():
                    news.set_result(None)
