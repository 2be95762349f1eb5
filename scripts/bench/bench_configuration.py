"""What reading configuration costs: cached, from Redis beside bare redis-py, at a cold start; and delivering it.

Starts PostgreSQL, Redis and Vault of its own. The cold start is that of a new process's reader: nothing in its memory
and nothing in Redis.
"""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hvac  # type: ignore[import-untyped]  # hvac ships no types
import msgspec
import redis.asyncio as bare_redis

from policies.configuration.values import ConfigurationKey, ConfigurationValue
from scripts.bench import configuration_delivery
from scripts.bench.rows import Row, absolute, paired
from scripts.stack import Home, Stack
from scripts.stack.parts import postgres
from workflows.clients.redis import Redis
from workflows.configuration.models import Author, Write
from workflows.configuration.reading import ConfigurationReader
from workflows.configuration.reading.entries import Authenticator, name_of
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.repository import ConfigurationStore
from workflows.configuration.secrets import Opener

CACHED, HIT = "configuration.cached_read", "configuration.redis_hit"
COLD, CALLS = "configuration.cold_start_10000", "configuration.cold_start_vault_calls"
RUNS, READS, HITS = 7, 100_000, 1_000
KEYS, SECRETS = 10_000, 1_000
TRANSIT_KEY = "bench-configuration"


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    delivery = configuration_delivery.rows() if only in configuration_delivery.NAME else []
    if not any(only in name for name in (CACHED, HIT, COLD, CALLS)):
        return delivery
    with _servers() as environ:
        return [*asyncio.run(_measure(environ)), *delivery]


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stack = Stack(Path(folder))
        try:
            stack.up(["postgres", "redis", "vault"])
            url = postgres.superuser_url(Home(stack.home), stack.port("postgres", "sql"))
            yield {
                **stack.environment(),
                "ADX_CONFIGURATION_URL": url,
                "ADX_CONFIGURATION_VAULT_KEY": TRANSIT_KEY,
            }
        finally:
            stack.down()


async def _measure(environ: dict[str, str]) -> list[Row]:
    authenticator = Authenticator(os.urandom(32))
    async with ConfigurationStore(environ["ADX_CONFIGURATION_URL"]) as store:
        await store.migrate()
        await store.write(_writes(environ), Author(by="bench", change_id="bench"))
        colds = [await _cold_start(environ, store, authenticator) for _ in range(RUNS)]
        shared = SharedCache(Redis(environ["ADX_REDIS_URL"]), authenticator)
        async with ConfigurationReader(store, shared=shared) as reader:
            await reader.get_many([_key(number) for number in range(SECRETS, SECRETS + 100)])
            cached = [await _cached_read(reader) for _ in range(RUNS)]
            hits = [await _hits(environ, reader, number) for number in range(RUNS)]
    return [
        absolute(CACHED, cached, "µs", 2),
        paired(HIT, hits, "µs", "redis-py GET and decode", 1.3),
        absolute(COLD, [seconds for seconds, _ in colds], "s", 2),
        absolute(CALLS, [calls for _, calls in colds], "calls", 20),
    ]


async def _cold_start(
    environ: dict[str, str], store: ConfigurationStore, authenticator: Authenticator
) -> tuple[float, float]:
    """Seconds until everything is known, and calls to Vault."""
    opener, shared = Opener.from_settings(environ), SharedCache(Redis(environ["ADX_REDIS_URL"]), authenticator)
    await bare_redis.Redis.from_url(environ["ADX_REDIS_URL"]).flushdb()
    async with ConfigurationReader(store, opener=opener, shared=shared) as reader:
        begun = time.perf_counter()
        found = await reader.warm("shop", "staging")
        seconds = time.perf_counter() - begun
        calls = opener.session.calls
    if len(found) != KEYS or found[_key(0)].value != "secret 0":
        raise SystemExit(f"{len(found)} of {KEYS} values were read")
    return seconds, calls


async def _cached_read(reader: ConfigurationReader) -> float:
    """Microseconds a read."""
    key = _key(SECRETS)
    await reader.get_configuration(key)
    begun = time.perf_counter()
    for _ in range(READS):
        await reader.get_configuration(key)
    return (time.perf_counter() - begun) / READS * 1e6


async def _hits(environ: dict[str, str], reader: ConfigurationReader, number: int) -> tuple[float, float]:
    """Microseconds a read that finds its value in Redis, and of the bare client; the order swapped each time."""
    first, second = (_hit, _bare) if number % 2 else (_bare, _hit)
    one, other = await first(environ, reader), await second(environ, reader)
    return (one, other) if number % 2 else (other, one)


async def _hit(_: dict[str, str], reader: ConfigurationReader) -> float:
    key, memory = _key(SECRETS), reader._memory
    begun = time.perf_counter()
    for _number in range(HITS):
        memory.known.clear()
        await reader.get_configuration(key)
    return (time.perf_counter() - begun) / HITS * 1e6


async def _bare(environ: dict[str, str], _: ConfigurationReader) -> float:
    client = bare_redis.Redis.from_url(environ["ADX_REDIS_URL"])
    name, decoder = name_of(_key(SECRETS)), msgspec.msgpack.Decoder()
    await client.get(name)  # connects
    begun = time.perf_counter()
    for _number in range(HITS):
        data = await client.get(name)
        decoder.decode(data[16:] if isinstance(data, bytes) else b"")
    seconds = time.perf_counter() - begun
    await client.aclose()
    return seconds / HITS * 1e6


def _writes(environ: dict[str, str]) -> list[Write]:
    """A tenth secrets, the rest numbers and texts."""
    client = hvac.Client(url=environ["VAULT_ADDR"], token=environ["VAULT_TOKEN"])
    client.secrets.transit.create_key(name=TRANSIT_KEY, derived=True)
    batch = [
        {"plaintext": _base64(f"secret {number}".encode()), "context": _base64(_key(number).canonical)}
        for number in range(SECRETS)
    ]
    sealed = client.adapter.post(url=f"/v1/transit/encrypt/{TRANSIT_KEY}", json={"batch_input": batch})
    secrets = [
        ConfigurationValue(is_secret=True, encrypted_value=one["ciphertext"]) for one in sealed["data"]["batch_results"]
    ]
    plain = [ConfigurationValue(value=number if number % 2 else f"value {number}") for number in range(SECRETS, KEYS)]
    return [Write(key=_key(number), value=value) for number, value in enumerate([*secrets, *plain])]


def _key(number: int) -> ConfigurationKey:
    service, key = f"service-{number % 20}", f"KEY_{number}"
    return ConfigurationKey(namespace="shop", environment="staging", service=service, key=key)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
