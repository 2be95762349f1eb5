"""Redis as a cache that many processes share: bytes by name, and messages to all of them.

::

    AdxConnectionError
    └── CacheAway       Redis cannot be reached, does not answer in time, or refuses

No value and no password appears in a message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from workflows.errors import AdxConnectionError

TIMEOUT_SECONDS = 0.5
QUIET_SECONDS = 1.0
BATCH_SIZE = 1000


class CacheAway(AdxConnectionError):
    """Redis cannot be reached, does not answer in time, or refuses."""

    exit_code = 6


class Redis:
    """The Redis at ``url`` (``redis://:password@host:port/0``, or ``rediss://``). Contacts nobody until it is asked."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url, self._timeout_seconds = url, timeout_seconds
        # Whoever asks has something better to do than to wait: the database knows as well.
        self._client = self._opened(retries=1)

    async def check(self) -> None:
        """Return when it answers. Raises CacheAway."""
        with _translated():
            await self._client.ping()

    async def get(self, name: str) -> bytes | None:
        """The bytes of ``name``; None when there are none."""
        try:  # a context manager here would be felt: nearly every read of a service comes this way
            return _bytes(await self._client.get(name))
        except _FAILURES as error:
            raise _away(error) from None

    async def get_many(self, names: Sequence[str]) -> list[bytes | None]:
        """The bytes of each of ``names``, one question for ``BATCH_SIZE`` of them."""
        found: list[bytes | None] = []
        with _translated():
            for start in range(0, len(names), BATCH_SIZE):
                found += map(_bytes, await self._client.mget(names[start : start + BATCH_SIZE]))
        return found

    async def put_many(self, entries: Mapping[str, tuple[bytes, float]], *, replace: bool) -> None:
        """Keep bytes for so many seconds, all of ``entries``; what is there stays unless it is to be replaced."""
        items = list(entries.items())
        with _translated():
            for start in range(0, len(items), BATCH_SIZE):
                pipeline = self._client.pipeline(transaction=False)
                for name, (data, seconds) in items[start : start + BATCH_SIZE]:
                    pipeline.set(name, data, px=max(1, int(seconds * 1000)), nx=not replace)
                await pipeline.execute()

    async def publish(self, channel: str, message: bytes) -> None:
        """Send ``message`` to whoever listens now."""
        with _translated():
            await self._client.publish(channel, message)

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[Callable[[], Awaitable[bytes | None]]]:
        """Messages of ``channel`` from now on: each call gives one, or None after QUIET_SECONDS.

        Raises CacheAway as soon as one may have been missed: for a lost connection, too.
        """
        # redis-py connects anew without a word where it may retry, and what was sent meanwhile is lost.
        client = self._opened(retries=0)
        try:
            with _translated():
                subscription = client.pubsub()
                try:
                    await subscription.subscribe(channel)
                    if await subscription.get_message(timeout=self._timeout_seconds) is None:
                        raise TimeoutError  # sent is not heard: only the answer says from when on messages come
                    yield lambda: _next(subscription)
                finally:
                    await subscription.aclose()  # type: ignore[no-untyped-call] # redis-py's own
        finally:
            await client.aclose()

    async def close(self) -> None:
        """Give back all connections."""
        await self._client.aclose()

    def _opened(self, *, retries: int) -> redis.Redis:
        with _translated():
            return redis.Redis.from_url(
                self._url,
                socket_timeout=self._timeout_seconds,
                socket_connect_timeout=self._timeout_seconds,
                retry=Retry(NoBackoff(), retries),
            )


def _bytes(found: bytes | str | None) -> bytes | None:
    """What Redis gave; the client is not one that decodes."""
    return found.encode() if isinstance(found, str) else found


async def _next(subscription: Any) -> bytes | None:
    with _translated():
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=QUIET_SECONDS)
    return message["data"] if message else None


_FAILURES = (RedisError, OSError, TimeoutError, ValueError)


def _away(error: Exception) -> CacheAway:
    return CacheAway(
        f"Redis cannot be used ({type(error).__name__})", next_step="check that it runs, and ADX_REDIS_URL"
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        raise _away(error) from None
