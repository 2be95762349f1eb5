"""Readers on real servers; every server can be cut off by a link of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import anyio
import pytest
import redis

from policies.configuration.values import ConfigurationKey
from tests.support.configuration import Link, author, linked, postgres_server, postgres_url  # noqa: F401 - fixtures
from workflows.clients.redis import Redis
from workflows.configuration.models import Record, Write
from workflows.configuration.reading import ConfigurationReader, Times
from workflows.configuration.reading.entries import Authenticator, name_of
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.repository import ConfigurationStore

# Who fails is asked again soon, and who is only slow, as all are on a busy machine, is waited for.
BRIEF = Times(retry=0.05, unheard=0.0, patience=10.0, load=30.0)
REDIS_WITHIN_SECONDS = 5.0


@dataclass
class Servers:
    """The servers behind a reader: their links, and ways around them."""

    store_link: Link
    redis_link: Link
    store_url: str
    redis_url: str
    direct: ConfigurationStore
    plain_redis: redis.Redis = field(repr=False)
    cache_key: bytes = field(repr=False)

    def shared(self, times: Times = BRIEF, *, direct: bool = False) -> SharedCache:
        """A shared cache, through the link unless ``direct``."""
        url = self.redis_url if direct else self.redis_link.through(self.redis_url)
        redis_client = Redis(url, timeout_seconds=REDIS_WITHIN_SECONDS)
        return SharedCache(redis_client, Authenticator(self.cache_key), times)

    def store(self) -> ConfigurationStore:
        """The repository, through the link."""
        return ConfigurationStore(self.store_link.through(self.store_url), timeout_seconds=5)

    async def write(self, *writes: Write, announce: bool = True) -> dict[ConfigurationKey, Record | None]:
        """Change values as a delivery does: in the repository, then announced."""
        rows = dict(zip((one.key for one in writes), await self.direct.write(writes, author()), strict=True))
        if announce:
            shared = self.shared(direct=True)
            await shared.announce(rows)
            await shared.close()
        return rows

    def raw(self, key: ConfigurationKey) -> bytes | None:
        """What Redis holds for ``key``."""
        found = self.plain_redis.get(name_of(key))
        return found if isinstance(found, bytes) else None


@pytest.fixture
async def servers(postgres_url: str, redis_url: str) -> AsyncIterator[Servers]:  # noqa: F811 - the fixture
    with linked(postgres_url) as store_link, linked(redis_url) as redis_link:
        async with ConfigurationStore(postgres_url) as direct:
            await direct.migrate()
            plain_redis = redis.Redis.from_url(redis_url)
            plain_redis.flushdb()
            yield Servers(store_link, redis_link, postgres_url, redis_url, direct, plain_redis, os.urandom(32))
            plain_redis.close()


@pytest.fixture
async def reader(servers: Servers) -> AsyncIterator[ConfigurationReader]:
    """A reader without Vault that hears of changes."""
    store = servers.store()
    async with ConfigurationReader(store, shared=servers.shared(), times=BRIEF) as opened:
        await hearing(opened)
        yield opened
    await store.close()


async def hearing(reader: ConfigurationReader) -> None:
    """Wait until changes are heard."""
    with anyio.fail_after(30):
        while not reader.health().is_hearing:
            await anyio.sleep(0.01)
