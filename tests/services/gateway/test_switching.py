"""Under load no request fails: releases take over from each other, instances come and go."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

from scripts.traffic.load import Load, LoadResult
from scripts.traffic.shop_server import Behaviour
from tests.services.gateway.harness import HTTP, Service, answering
from tests.support.waiting import wait_until
from workflows.clients.caddy import Gateways

BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"


def assert_none_failed(result: LoadResult) -> None:
    """With what did, when some did."""
    assert result.failed == 0, (result.by_status, result.broken)


async def test_releases_take_over_from_each_other_without_a_failed_request(shop: Service) -> None:
    """After a switch is acknowledged no new request reaches the release that lost; requests in flight end there."""
    servers = {release: await asyncio.to_thread(shop.add, release) for release in (BLUE, GREEN)}
    load = Load(f"{shop.at}/", connections=16)
    async with Gateways([shop.admin_url]) as gateways:
        await gateways.put(shop.name, {"releases": {BLUE: 100, GREEN: 0}})
        load.start()
        for number in range(20):
            to, away = (GREEN, BLUE) if number % 2 == 0 else (BLUE, GREEN)
            await gateways.put(shop.name, {"releases": {to: 100, away: 0}})
            while (await gateways.seen(shop.name))[0].releases[away].in_flight:
                await asyncio.sleep(0.01)
            before = await asyncio.to_thread(servers[away].stats)
            await load.sent(150)
            assert (await asyncio.to_thread(servers[away].stats))["requests"] == before["requests"]
    assert_none_failed(await load.stop())


async def test_instance_is_drained_and_ended_under_load_without_a_failed_request(shop: Service) -> None:
    """Writes, which are never sent twice: out of the registry, then no request in flight, then ended."""
    behaviour = Behaviour(delay_milliseconds=5)
    leaving = await asyncio.to_thread(shop.add, BLUE, behaviour)
    await asyncio.to_thread(shop.add, BLUE, behaviour)
    await asyncio.to_thread(shop.put, {BLUE: 100})
    load = Load(f"{shop.at}/", connections=12, method="POST", body=b"order")
    load.start()
    await load.sent(200)
    for _ in range(3):
        joining = await asyncio.to_thread(shop.add, BLUE, behaviour)
        await load.sent(100)
        await asyncio.to_thread(shop.deregister, leaving)
        await asyncio.to_thread(shop.wait_until_forgotten, leaving)
        before = await asyncio.to_thread(leaving.stats)
        await load.sent(100)
        assert (await asyncio.to_thread(leaving.stats))["requests"] == before["requests"]
        await asyncio.to_thread(leaving.end)
        leaving = joining
    assert_none_failed(await load.stop())


async def test_instance_that_is_gone_but_still_registered_costs_no_request(shop: Service) -> None:
    """A connection that is refused is tried elsewhere, also for a write; a release without any falls to another."""
    gone = await asyncio.to_thread(shop.add, GREEN)
    await asyncio.to_thread(shop.add, GREEN)
    last = await asyncio.to_thread(shop.add, BLUE)
    await asyncio.to_thread(shop.put, {BLUE: 50, GREEN: 50})
    await asyncio.to_thread(gone.kill)
    result = await Load(f"{shop.at}/", connections=4, method="POST", body=b"order").run(100)
    assert_none_failed(result)
    assert result.by_release == {BLUE: 50, GREEN: 50}
    assert shop.metric("adx_gateway_retries_total", release=GREEN) >= 1

    # A write on a connection that was open before the kill may be lost: nobody knows whether it was done.
    await asyncio.to_thread(last.kill)
    result = await Load(f"{shop.at}/", connections=4).run(100)
    assert_none_failed(result)
    assert result.by_release == {GREEN: 100}


class Anew(BaseHTTPRequestHandler):
    """An instance that answers everything."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


def test_only_instance_may_start_anew_while_a_request_waits(shop: Service) -> None:
    """When all have refused the connection, they are tried again.

    For five seconds: the new one is a thread, since a process may take longer to start.
    """
    gone = shop.add(BLUE)
    gone.kill()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(HTTP.get, f"{shop.at}/")
        wait_until(lambda: shop.metric("adx_gateway_retries_total", release=BLUE), bool)
        with answering(Anew, gone.port):
            assert asked.result().is_success


async def test_instance_that_breaks_off_is_seen_not_hidden(shop: Service) -> None:
    """A request on a new connection is not sent again, though another instance is there: it may have been done."""
    breaking = await asyncio.to_thread(shop.add, GREEN)
    await asyncio.to_thread(shop.put, {BLUE: 0, GREEN: 100})
    load = Load(f"{shop.at}/delay/60000", connections=1)
    load.start(1)
    await asyncio.to_thread(wait_until, lambda: breaking.stats()["requests"], bool)
    other = await asyncio.to_thread(shop.add, GREEN)
    await asyncio.to_thread(breaking.kill)
    assert (await load.finished()).by_status == {502: 1}
    assert (await asyncio.to_thread(other.stats))["requests"] == 0
    assert shop.metric("adx_gateway_requests_total", release=GREEN, code="502") == 1
    assert shop.metric("adx_gateway_retries_total") == 0


async def test_release_that_answers_with_errors_is_seen_not_hidden(shop: Service) -> None:
    """An answer is never asked for again elsewhere, so that an analysis sees what a release does."""
    await asyncio.to_thread(shop.add, BLUE)
    await asyncio.to_thread(shop.add, GREEN, Behaviour(errors_percent=50))
    await asyncio.to_thread(shop.put, {BLUE: 80, GREEN: 20})
    result = await Load(f"{shop.at}/", connections=4).run(200)
    assert result.by_release_and_class == {BLUE: {"2xx": 160}, GREEN: {"2xx": 20, "5xx": 20}}
    assert shop.metric("adx_gateway_requests_total", release=GREEN, code="500") == 20
