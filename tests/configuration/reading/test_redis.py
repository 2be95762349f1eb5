"""The client of Redis on a real one: when messages come, and what is said while it is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import pytest

from tests.configuration.reading.conftest import REDIS_WITHIN_SECONDS, Servers
from workflows.clients.redis import CacheAway, Redis

CHANNEL = "test-news"


@asynccontextmanager
async def deaf_to_subscriptions(url: str) -> AsyncIterator[str]:
    """A way to Redis on which everything arrives but SUBSCRIBE, as on a network that loses it."""
    parts = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(passed_on(reader, up_writer), passed_on(up_reader, writer))

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if b"SUBSCRIBE" not in data:
                    writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        login, _, _ = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield parts._replace(netloc=f"{login}@{place}" if login else place).geturl()


async def test_whoever_listens_hears_what_is_sent_from_then_on(servers: Servers) -> None:
    """The very next message, and then nothing."""
    client = Redis(servers.redis_url, timeout_seconds=REDIS_WITHIN_SECONDS)
    async with client.listening(CHANNEL) as following:
        assert servers.plain_redis.publish(CHANNEL, b"first") == 1
        assert await following() == b"first"
        assert await following() is None
    await client.close()


async def test_a_subscription_that_redis_did_not_confirm_is_none(servers: Servers) -> None:
    """Messages would pass by somebody who believes to hear them."""
    async with deaf_to_subscriptions(servers.redis_url) as url:
        patient, client = Redis(url, timeout_seconds=REDIS_WITHIN_SECONDS), Redis(url)
        await patient.check()
        await patient.close()
        with pytest.raises(CacheAway):
            async with client.listening(CHANNEL):
                pass
        await client.close()


async def test_listening_ends_with_its_connection(servers: Servers) -> None:
    """It does not go on by itself on another: nobody would know what was missed."""
    client = Redis(servers.redis_url, timeout_seconds=REDIS_WITHIN_SECONDS)
    async with client.listening(CHANNEL) as following:
        servers.plain_redis.client_kill_filter(_type="pubsub")
        servers.plain_redis.publish(CHANNEL, b"lost")
        with pytest.raises(CacheAway):
            await following()
    await client.close()
    with anyio.fail_after(30):
        while servers.plain_redis.pubsub_numsub(CHANNEL) != [(CHANNEL.encode(), 0)]:
            await anyio.sleep(0.01)


async def test_a_redis_that_is_away_is_told_without_its_password(servers: Servers) -> None:
    """And answers when it is back."""
    client = Redis(servers.redis_link.through(servers.redis_url), timeout_seconds=REDIS_WITHIN_SECONDS)
    await client.check()
    servers.redis_link.cut()
    with pytest.raises(CacheAway) as refused:
        await client.check()
    servers.redis_link.mend()
    await client.check()
    await client.close()

    password = urlsplit(servers.redis_url).password
    assert password
    assert password not in f"{refused.value} {refused.value.next_step}"
