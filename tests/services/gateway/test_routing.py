"""Which release answers: weights, testers, stickiness, and what happens where there is none."""

from __future__ import annotations

import asyncio
from collections import Counter
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from policies.services.routing import Split, Sticky
from scripts.traffic.load import Load
from scripts.traffic.shops import ShopServer
from tests.services.gateway.harness import HTTP, Service, answering

BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"


def releases(shop: Service, requests: int, **arguments: object) -> Counter[str]:
    """Who answers so many requests, each of a client of its own."""
    found: Counter[str] = Counter()
    for _ in range(requests):
        found[HTTP.get(f"{shop.at}/", **arguments).headers["X-Release"]] += 1  # type: ignore[arg-type] # headers, cookies
    return found


async def test_each_hundred_requests_are_divided_exactly(shop: Service) -> None:
    """Also when they come on many connections at once, and whatever the number of instances."""
    for release in (BLUE, GREEN, GREEN):
        await asyncio.to_thread(shop.add, release)
    for weight in (5, 50):
        await asyncio.to_thread(shop.put, {BLUE: 100 - weight, GREEN: weight})
        for _ in range(3):
            result = await Load(f"{shop.at}/", connections=8).run(100)
            assert result.failed == 0
            assert abs(result.by_release[GREEN] - weight) <= 1


def test_testers_reach_a_release_that_nobody_else_reaches(shop: Service) -> None:
    """By the header's value; another value is no tester's."""
    shop.add(BLUE)
    green = shop.add(GREEN)
    shop.put({BLUE: 100, GREEN: 0}, testers={"header": "x-adx-release", "value": "green", "release": GREEN})
    assert releases(shop, 5, headers={"X-Adx-Release": "green"}) == {GREEN: 5}
    assert releases(shop, 5, headers={"X-Adx-Release": "other"}) == {BLUE: 5}

    shop.deregister(green)
    shop.wait_until_forgotten(green)
    assert releases(shop, 5, headers={"X-Adx-Release": "green"}) == {BLUE: 5}, "without green testers are served, too"


def test_cookie_keeps_a_client_at_its_release_while_that_serves(shop: Service) -> None:
    """The gateway sets it once; with weight 0 the release loses its clients at once. It is this service's alone."""
    cookie = f"adx-release-{shop.name}"
    shop.add(BLUE)
    shop.add(GREEN)
    shop.put({BLUE: 50, GREEN: 50}, sticky={"cookie": "adx-release"})
    seen: Counter[str] = Counter()
    for _ in range(6):
        with httpx.Client(verify=False) as client:
            first = client.get(f"{shop.at}/")
            seen[first.headers["X-Release"]] += 1
            assert first.headers["Set-Cookie"].startswith(f"{cookie}={first.headers['X-Release']};")
            assert "HttpOnly" in first.headers["Set-Cookie"]
            assert "SameSite=Lax" in first.headers["Set-Cookie"]
            again = [client.get(f"{shop.at}/") for _ in range(4)]
            assert {answer.headers["X-Release"] for answer in again} == {first.headers["X-Release"]}
            assert not any("Set-Cookie" in answer.headers for answer in again)
    assert set(seen) == {BLUE, GREEN}

    with httpx.Client(verify=False, cookies={cookie: GREEN}) as client:
        shop.put({BLUE: 100, GREEN: 0}, sticky={"cookie": "adx-release"})
        moved = client.get(f"{shop.at}/")
        assert moved.headers["X-Release"] == BLUE
        assert f"{cookie}={BLUE}" in moved.headers["Set-Cookie"]


def test_header_keeps_a_session_at_its_release_and_a_growing_canary_takes_nobody_back(shop: Service) -> None:
    """The same value is always decided the same way; sessions at green stay there as its weight grows."""
    shop.add(BLUE)
    shop.add(GREEN)

    def at_green(weight: int) -> set[int]:
        shop.put({BLUE: 100 - weight, GREEN: weight}, sticky={"header": "x-session"})
        answers = {n: HTTP.get(f"{shop.at}/", headers={"x-session": f"session-{n}"}) for n in range(60)}
        return {number for number, answer in answers.items() if answer.headers["X-Release"] == GREEN}

    few, again, many = at_green(20), at_green(20), at_green(60)
    assert few == again
    assert few < many
    assert 2 <= len(few) <= 25


def test_service_is_found_by_host_too_and_its_path_is_its_own(shop: Service) -> None:
    """``<service>.<anything>`` keeps the path, ``/<service>/…`` takes the name off and tells it."""
    shop.add(BLUE)
    by_host = HTTP.get(f"{shop.url}/echo?x=1", headers={"Host": f"{shop.name}.example.com"}).json()
    by_path = HTTP.get(f"{shop.at}/echo?x=1").json()
    assert by_host["path"] == by_path["path"] == "/echo?x=1"
    assert by_path["headers"]["x-forwarded-prefix"] == f"/{shop.name}"

    claimed = {"Host": f"{shop.name}.example.com", "X-Forwarded-Prefix": "/evil", "X_Forwarded_Prefix": "/evil"}
    told = HTTP.get(f"{shop.url}/echo", headers=claimed).json()["headers"]
    assert [name for name in told if "prefix" in name] == []
    assert HTTP.get(f"{shop.at}/a%2Fb/echo").is_success
    assert HTTP.get(f"{shop.url}/{shop.name}%2Fecho").status_code == 404, "one segment, which is no service's name"


def test_fallback_answers_only_where_no_release_with_a_weight_does(shop: Service) -> None:
    """Registered or not: green that is killed refuses connections, and leaves the registry later."""
    shop.add(BLUE)
    green = shop.add(GREEN)
    split = Split({BLUE: 0, GREEN: 100}, sticky=Sticky(cookie="c"), fallback=BLUE).to_gateway_json()
    shop.put(split.pop("releases"), **split)
    assert releases(shop, 5) == {GREEN: 5}
    green.kill()
    assert releases(shop, 5) == {BLUE: 5}
    shop.deregister(green)
    shop.wait_until_forgotten(green)
    with httpx.Client(verify=False) as client:
        answer = client.get(f"{shop.at}/")
    assert (answer.headers["X-Release"], answer.headers.get("Set-Cookie")) == (BLUE, None)
    with pytest.raises(ValueError, match="fallback would be the release aaaaaaaa"):
        Split({GREEN: 100}, fallback=BLUE)


def test_only_what_was_registered_for_it_can_be_reached(shop: Service) -> None:
    """Whoever else is in the registry may have metadata of its own; and nobody leads to the admin API."""
    server = shop.add(BLUE)
    admin = httpx.URL(shop.admin_url)
    assert admin.port is not None
    for name, port, meta in (("other", server.port, {"version": "1"}), ("admin", admin.port, {"release": BLUE})):
        body = {"ID": f"{shop.name}-{name}", "Name": shop.name, "Address": "127.0.0.1", "Port": port, "Meta": meta}
        HTTP.put(f"{shop.consul_url}/v1/agent/service/register", json=body).raise_for_status()
    shop.deregister(server)  # only the two are left
    shop.wait_until_forgotten(server)
    assert HTTP.get(f"{shop.at}/adx/splits").status_code == 503
    for name in ("other", "admin"):
        HTTP.put(f"{shop.consul_url}/v1/agent/service/deregister/{shop.name}-{name}").raise_for_status()


def test_without_a_service_404_and_without_an_instance_503(shop: Service) -> None:
    """With a short text; Consul's own servers are no service."""
    for name in ("no-such-service", "consul"):
        unknown = HTTP.get(f"{shop.url}/{name}/")
        assert (unknown.status_code, unknown.text) == (404, "no such service\n")
    shop.put({BLUE: 100})
    empty = HTTP.get(f"{shop.at}/")
    assert (empty.status_code, empty.text) == (503, f"{shop.name}: no healthy instance\n")
    assert shop.metric("adx_gateway_requests_total", code="503") == 1


def test_without_a_split_all_instances_are_used_and_none_without_instances_is(shop: Service) -> None:
    """A release without a healthy instance leaves its share to the others with a weight."""
    shop.add(BLUE)
    green = shop.add(GREEN)
    assert releases(shop, 10) == {BLUE: 5, GREEN: 5}
    shop.put({BLUE: 10, GREEN: 90})
    shop.deregister(green)
    shop.wait_until_forgotten(green)
    assert releases(shop, 10) == {BLUE: 10}


def test_metrics_tell_the_releases_apart(shop: Service) -> None:
    """By service, release and status; with how long answers took."""
    shop.add(BLUE)
    shop.put({BLUE: 100})
    took_seconds = [HTTP.get(f"{shop.at}/").elapsed.total_seconds() for _ in range(3)]
    HTTP.get(f"{shop.at}/delay/600")
    assert shop.metric("adx_gateway_requests_total", release=BLUE, code="200") == 4
    assert shop.metric("adx_gateway_request_duration_seconds_count", release=BLUE) == 4
    # All three but on a busy machine: what was quick for the client was quick for the gateway within it.
    quick = sum(seconds <= 0.5 for seconds in took_seconds)
    assert quick <= shop.metric("adx_gateway_request_duration_seconds_bucket", release=BLUE, le="0.5") <= 3


class Events(BaseHTTPRequestHandler):
    """An event stream that ends at once."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


def test_a_stream_is_counted_without_a_duration(shop: Service) -> None:
    """It lasts as long as its client wants, which would look like a slow release."""
    with answering(Events) as port:
        instance = ShopServer(BLUE, port, None)  # type: ignore[arg-type] # a thread is no process
        shop.register(instance)
        shop.wait_until_known(instance)
        assert HTTP.get(f"{shop.at}/").text == "data: one\n\n"
    assert shop.metric("adx_gateway_requests_total", release=BLUE, code="200") == 1
    assert shop.metric("adx_gateway_request_duration_seconds_count", release=BLUE) == 0
