"""The shared cache: entries in Redis, checked on the way in, and news of changes.

Whoever changes a value puts the new entry there (``announce``); whoever only
fills the cache never replaces one. So a reader that was slow cannot put an
old value over a new one.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TypeVar

from policies.configuration.values import ConfigurationKey
from workflows.clients.redis import CacheAway, Redis
from workflows.configuration.models import Record
from workflows.configuration.reading import entries
from workflows.configuration.reading.entries import Authenticator, Entry
from workflows.configuration.reading.model import DEFAULT_TIMES, Times

Answer = TypeVar("Answer")
MESSAGE_KEYS = 500
_log = logging.getLogger("adx.configuration")


class SharedCache:
    """Entries in Redis. Raises CacheAway; while Redis is away it is not asked again for ``times.retry`` seconds.

    ``why_away`` says why Redis could not be asked last; empty since it answered.
    """

    def __init__(self, redis: Redis, authenticator: Authenticator, times: Times = DEFAULT_TIMES) -> None:
        self.redis = redis
        self.authenticator = authenticator
        self.forged_entries = 0
        self.why_away = ""
        self._times = times
        self._asked_again_at = 0.0
        self._to_replace: set[ConfigurationKey] = set()

    @classmethod
    def from_settings(cls, environ: Mapping[str, str], times: Times = DEFAULT_TIMES) -> SharedCache | None:
        """The cache at ``ADX_REDIS_URL``; None where that is not set. Raises CacheKeyRefused."""
        url = environ.get("ADX_REDIS_URL")
        return cls(Redis(url), Authenticator.from_settings(environ), times) if url else None

    async def find_one(self, key: ConfigurationKey) -> Entry | None:
        """The entry of ``key`` if it is there, counts and is genuine; the way that most look-ups take."""
        name = entries.name_of(key)
        self._check_circuit()
        data = await self._asked(self.redis.get(name))
        return self._decoded(key, name, data, time.time())

    async def find(self, keys: Sequence[ConfigurationKey]) -> dict[ConfigurationKey, Entry]:
        """The entries of ``keys`` that are there, count and are genuine."""
        names = [entries.name_of(key) for key in keys]
        self._check_circuit()
        found = await self._asked(self.redis.get_many(names))
        now = time.time()
        checked = (
            (key, self._decoded(key, name, data, now)) for key, name, data in zip(keys, names, found, strict=True)
        )
        return {key: entry for key, entry in checked if entry is not None}

    async def fill(self, rows: Mapping[ConfigurationKey, Record | None]) -> None:
        """Keep what the repository said, where nothing genuine is kept yet."""
        self._check_circuit()
        damaged = {key: record for key, record in rows.items() if key in self._to_replace}
        await self._asked(self.redis.put_many(self._encoded(rows), replace=False))
        if damaged:
            await self._asked(self.redis.put_many(self._encoded(damaged), replace=True))
            self._to_replace -= damaged.keys()

    async def announce(self, rows: Mapping[ConfigurationKey, Record | None]) -> None:
        """The values of these keys are new (None: gone): keep them and tell every process. Raises CacheAway."""
        await self._asked(self.redis.put_many(self._encoded(rows), replace=True))
        keys = list(rows)
        for start in range(0, len(keys), MESSAGE_KEYS):
            message = entries.encode_changes(self.authenticator, keys[start : start + MESSAGE_KEYS])
            await self.redis.publish(entries.CHANNEL, message)

    async def check(self) -> None:
        """Ask whether Redis answers, also while it is not asked for entries. Raises CacheAway."""
        await self._asked(self.redis.check())

    async def close(self) -> None:
        """Give back all connections."""
        await self.redis.close()

    def _encoded(self, rows: Mapping[ConfigurationKey, Record | None]) -> dict[str, tuple[bytes, float]]:
        return dict(self._encoded_one(key, record) for key, record in rows.items())

    def _encoded_one(self, key: ConfigurationKey, record: Record | None) -> tuple[str, tuple[bytes, float]]:
        name = entries.name_of(key)
        seconds = self._times.shared if record is not None else self._times.shared_missing
        seconds *= 1 - random.random() * self._times.jitter_share  # noqa: S311 - spreads load, hides nothing
        entry = entries.entry_of(record, time.time() + seconds)
        return name, (entries.encode(self.authenticator, name, entry), seconds)

    def _decoded(self, key: ConfigurationKey, name: str, data: bytes | None, now: float) -> Entry | None:
        if data is None:
            return None
        try:
            return entries.decode(self.authenticator, name, data, now)
        except ValueError as error:
            self.forged_entries += 1
            self._to_replace.add(key)
            _log.warning("an entry of the shared cache is not used: %s is %s", key, error)
            return None

    def _check_circuit(self) -> None:
        if time.monotonic() < self._asked_again_at:
            raise CacheAway("Redis was away a moment ago")

    async def _asked(self, answer: Awaitable[Answer]) -> Answer:
        try:
            found = await answer
        except CacheAway as error:
            self._failed(error)
            raise
        self._answered()
        return found

    def _failed(self, error: CacheAway) -> None:
        if not self.why_away:
            _log.warning("redis is away: %s", error)
        self.why_away = str(error)
        self._asked_again_at = time.monotonic() + self._times.retry

    def _answered(self) -> None:
        self.why_away, self._asked_again_at = "", 0.0


def changed_services(keys: Iterable[ConfigurationKey]) -> set[tuple[str, str, str]]:
    """Namespace, environment and service of each of ``keys``."""
    return {(key.namespace, key.environment, key.service) for key in keys}
