"""What a switch of releases costs at 2,000 requests a second, and what the gateway costs beside a plain Caddy.

A real Consul, a real gateway, and two releases of a small server, each in a
process of its own; the load comes from this process, over connections that are
kept alive, and retries nothing. A request that fails makes the benchmark fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx

from scripts.bench.rows import Row, absolute, paired
from scripts.stack import Stack
from scripts.stack.ports import choose
from scripts.traffic.load import Load, LoadResult
from scripts.traffic.shops import ShopServer, running_shop
from tests.support.waiting import wait_until
from workflows.clients.caddy import Gateways

SWITCH, SWITCH_P99, OVERHEAD = "services.switch", "services.switch_p99", "services.gateway_overhead"
BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"
NAME = "shop"
RATE_PER_SECOND = 2000.0
CONNECTIONS = 32
SWITCHES = 9
ROUNDS, REQUESTS_PER_ROUND = 5, 20_000
ATTEMPTS = 4
SWITCH_EVERY_SECONDS = 0.5
OVERHEAD_RUNS, OVERHEAD_REQUESTS = 9, 3000
WARM_UP_REQUESTS = 2000


_Measured = TypeVar("_Measured")


@dataclass(frozen=True)
class _Place:
    """The service behind the gateway, and the same instances behind a plain reverse proxy of the same process."""

    url: str
    plain_url: str
    admin_url: str


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    if not any(only in name for name in (SWITCH, SWITCH_P99, OVERHEAD)):
        return []
    with tempfile.TemporaryDirectory() as folder, _place(Path(folder)) as place:
        return asyncio.run(_measure(place, only))


async def _measure(place: _Place, only: str) -> list[Row]:
    found: list[Row] = []
    async with Gateways([place.admin_url]) as gateways:
        await _give(gateways, BLUE)
        await _checked(Load(place.url, CONNECTIONS, RATE_PER_SECOND), WARM_UP_REQUESTS)
        if only in SWITCH:
            found.append(absolute(SWITCH, await _quiet(lambda: _switches(place, gateways)), "s", 1))
        if only in SWITCH_P99:
            pairs = [await _quiet(partial(_round, place, gateways, number)) for number in range(ROUNDS)]
            found.append(paired(SWITCH_P99, pairs, "ms", "without switches", 2))
        if only in OVERHEAD:
            pairs = [await _overhead(place, number) for number in range(OVERHEAD_RUNS)]
            found.append(paired(OVERHEAD, pairs, "ms", "Caddy with fixed upstreams", 1.3))
    return found


async def _switches(place: _Place, gateways: Gateways) -> list[float]:
    """From the decision, before the gateway is told, to the last answer of the release that lost."""
    load = Load(place.url, CONNECTIONS, RATE_PER_SECOND)
    load.start()
    seconds = []
    for number in range(SWITCHES):
        to, away = (GREEN, BLUE) if number % 2 == 0 else (BLUE, GREEN)
        await load.sent(round(RATE_PER_SECOND / 2))
        decided_at = time.monotonic()
        await _give(gateways, to)
        await load.sent(round(RATE_PER_SECOND))
        seconds.append(max(0.0, load.result.last_answer_at[away] - decided_at))
        if load.result.last_answer_at[to] < load.result.last_answer_at[away]:
            raise SystemExit(f"{to} did not take over")
    result = _must_be_whole(await load.stop())
    await _give(gateways, BLUE)
    _at_rate(result)
    return seconds


async def _round(place: _Place, gateways: Gateways, number: int) -> tuple[float, float]:
    """The 99th percentile with and without switches, in milliseconds; which comes first alternates."""

    async def switching() -> float:
        async with _switching(gateways):
            return await _p99_ms(place)

    if number % 2:
        steady = await _p99_ms(place)
        return await switching(), steady
    switched = await switching()
    return switched, await _p99_ms(place)


async def _p99_ms(place: _Place) -> float:
    result = _at_rate(await _checked(Load(place.url, CONNECTIONS, RATE_PER_SECOND), REQUESTS_PER_ROUND))
    return result.percentile_seconds(99) * 1000


@contextlib.asynccontextmanager
async def _switching(gateways: Gateways) -> AsyncIterator[None]:
    """All requests from one release to the other and back, while the block runs."""

    async def go_on() -> None:
        while True:
            for release in (GREEN, BLUE):
                await asyncio.sleep(SWITCH_EVERY_SECONDS)
                await _give(gateways, release)

    task = asyncio.create_task(go_on())
    try:
        yield
        if task.done():
            await task  # it ends only by an error
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await _give(gateways, BLUE)


async def _overhead(place: _Place, number: int) -> tuple[float, float]:
    """The median time of a request, one at a time, in milliseconds: ours and the plain proxy's."""
    found = {}
    for url in (place.url, place.plain_url) if number % 2 else (place.plain_url, place.url):
        result = await _checked(Load(url, connections=1), OVERHEAD_REQUESTS)
        found[url] = statistics.median(result.latencies_seconds) * 1000
    return found[place.url], found[place.plain_url]


async def _checked(load: Load, requests: int) -> LoadResult:
    return _must_be_whole(await load.run(requests))


def _must_be_whole(result: LoadResult) -> LoadResult:
    if result.failed or set(result.by_class) != {"2xx"}:
        raise SystemExit(f"of {result.requests} requests {result.failed} failed: {result.by_status} {result.broken}")
    return result


class _TooBusy(Exception):
    """The machine could not keep the rate, so that it measured its own queue."""


def _at_rate(result: LoadResult) -> LoadResult:
    if result.per_second < 0.95 * RATE_PER_SECOND:
        raise _TooBusy(f"only {result.per_second:.0f} requests a second could be sent")
    return result


async def _quiet(measure: Callable[[], Awaitable[_Measured]]) -> _Measured:
    """Measured again where the machine was too busy with other things; after some attempts it is given up."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(_TooBusy):
            return await measure()
    return await measure()


async def _give(gateways: Gateways, release: str) -> None:
    await gateways.put(NAME, {"releases": {one: 100 if one == release else 0 for one in (BLUE, GREEN)}})


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[_Place]:
    stack = Stack(folder / "stack")
    try:
        stack.up(["caddy"])
        environ = stack.environment()
        admin_url = environ["ADX_CADDY_ADMIN_URLS"]
        with running_shop(BLUE) as blue, running_shop(GREEN) as green:
            _register(environ["ADX_CONSUL_URL"], admin_url, (blue, green))
            plain_url = _add_plain_proxy(admin_url, blue)
            yield _Place(f"{environ['ADX_GATEWAY_URL']}/{NAME}/", plain_url, admin_url)
    finally:
        stack.down()


def _register(consul_url: str, admin_url: str, servers: tuple[ShopServer, ...]) -> None:
    for server in servers:
        meta = {"version": "1.0.0", "release": server.release}
        body = {"ID": server.release, "Name": NAME, "Address": "127.0.0.1", "Port": server.port, "Meta": meta}
        httpx.put(f"{consul_url}/v1/agent/service/register", json=body).raise_for_status()
    wait_until(
        lambda: httpx.get(f"{admin_url}/adx/services/{NAME}").text,
        lambda told: all(server.address in told for server in servers),
    )


def _add_plain_proxy(admin_url: str, server: ShopServer) -> str:
    """Beside the gateway, in the same process: its ``reverse_proxy`` with the same settings and a fixed upstream."""
    port = choose(set())
    servers = f"{admin_url}/config/apps/http/servers"
    made = httpx.get(f"{servers}/gateway").raise_for_status().json()
    proxy = made["routes"][0]["handle"][1]
    del proxy["dynamic_upstreams"]
    made |= {
        "listen": [f"127.0.0.1:{port}"],
        "routes": [{"handle": [{**proxy, "upstreams": [{"dial": server.address}]}]}],
    }
    httpx.put(f"{servers}/plain", json=made).raise_for_status()
    return f"http://127.0.0.1:{port}/{NAME}/"
