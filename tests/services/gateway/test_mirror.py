"""Copies of requests: complete, marked, bounded, and never felt by the real request."""

from __future__ import annotations

import asyncio

import httpx

from scripts.traffic.load import Load
from scripts.traffic.shop_server import Behaviour
from tests.services.gateway.harness import HTTP, Service
from tests.support.waiting import wait_until

BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"


MARKS = {"X-Adx-Mirror": "1", "X_Adx-Mirror": "1", "x_adx_mirror": "1"}


def test_a_share_of_the_requests_is_copied_with_bodies(shop: Service) -> None:
    """Only blue answers; green sees the share, marked, with the same bodies; a client cannot mark a request itself."""
    blue, green = shop.add(BLUE), shop.add(GREEN)
    shop.put({BLUE: 100, GREEN: 0}, mirror={"release": GREEN, "percent": 25})
    with httpx.Client(verify=False) as client:
        for _ in range(100):
            answer = client.request("GET", f"{shop.at}/", content=b"x" * 1000, headers=MARKS)
            assert answer.headers["X-Release"] == BLUE
    copied = wait_until(green.stats, lambda stats: stats["requests"] == 25)
    assert copied["mirrored"] == 25
    assert copied["bodies"] == 25_000
    assert blue.stats()["mirrored"] == 0
    wait_until(lambda: shop.metric("adx_gateway_mirrored_requests_total", release=GREEN, code="200"), lambda n: n == 25)
    assert shop.metric("adx_gateway_requests_total", release=GREEN) == 0, "copies do not count as requests"
    shop.put({BLUE: 100, GREEN: 0})
    told = HTTP.get(f"{shop.at}/echo", headers=MARKS).json()["headers"]
    assert [name for name in told if "mirror" in name] == []


def test_only_what_asks_for_no_change_is_copied(shop: Service) -> None:
    """A copied order would be a second order (RFC 9110, 9.2.1)."""
    blue, green = shop.add(BLUE), shop.add(GREEN)
    shop.put({BLUE: 100, GREEN: 0}, mirror={"release": GREEN, "percent": 100})
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "GET"):
        HTTP.request(method, f"{shop.at}/")
    wait_until(
        lambda: shop.metric("adx_gateway_mirrored_requests_total", release=GREEN, code="200"), lambda count: count == 2
    )
    assert (blue.stats()["requests"], green.stats()["requests"]) == (7, 2)


def test_long_bodies_are_not_copied(shop: Service) -> None:
    """Whether their length is told or not; the real request gets all of it."""
    blue, green = shop.add(BLUE), shop.add(GREEN)
    shop.put({BLUE: 100, GREEN: 0}, mirror={"release": GREEN, "percent": 100})
    long = b"x" * (64 * 1024 + 1)
    for content in (long, iter([long]), iter([b"short"])):
        assert HTTP.request("GET", f"{shop.at}/", content=content).is_success
    assert blue.stats()["bodies"] == 2 * len(long) + 5
    wait_until(green.stats, lambda stats: stats["bodies"] == 5)
    assert green.stats()["requests"] == 1
    assert shop.metric("adx_gateway_mirrored_requests_total", code="dropped") == 1


async def test_a_release_that_hangs_or_fails_on_copies_disturbs_nobody(shop: Service) -> None:
    """More copies than may be under way are dropped, so nobody waited for one; every real request is answered."""
    await asyncio.to_thread(shop.add, BLUE)
    green = await asyncio.to_thread(shop.add, GREEN, Behaviour(delay_milliseconds=600_000))
    await asyncio.to_thread(shop.put, {BLUE: 100, GREEN: 0}, mirror={"release": GREEN, "percent": 100})
    # On many connections, so that all are sent before the first copy is given up (10 s) and makes room for another.
    result = await Load(f"{shop.at}/", connections=16).run(150)
    assert (result.failed, result.by_release) == (0, {BLUE: 150})
    assert shop.metric("adx_gateway_mirrored_requests_total", release=GREEN, code="dropped") >= 150 - 64
    await asyncio.to_thread(green.kill)
