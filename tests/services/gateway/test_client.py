"""The client of the gateway's admin API, against real gateways."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from policies.services.routing import Split, TesterRoute
from tests.services.gateway.harness import HTTP, Service, own_gateway
from tests.support.local_stack import CaddyServer
from workflows.clients.caddy import GatewayAway, GatewayRefused, Gateways, GatewaysDisagree, SplitConflict

BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"
AWAY = "http://127.0.0.1:1"


def body(green: int) -> dict[str, object]:
    """Blue has the rest."""
    return Split({BLUE: 100 - green, GREEN: green}, TesterRoute("x-adx-release", "green", GREEN)).to_gateway_json()


async def test_split_is_set_read_and_forgotten(shop: Service) -> None:
    """What is read is what was set; what is not there can be forgotten again."""
    shop.add(BLUE)
    async with Gateways([shop.admin_url]) as gateways:
        assert await gateways.get(shop.name) is None
        tag = await gateways.put(shop.name, body(5))
        found = await gateways.get(shop.name)
        assert found is not None
        assert (found.tag, found.body) == (tag, body(5))
        (seen,) = await gateways.seen(shop.name)
        assert seen.tag == tag
        assert {name: (len(one.instances), one.in_flight) for name, one in seen.releases.items()} == {
            BLUE: (1, 0),
            GREEN: (0, 0),
        }
        assert await gateways.forget(shop.name)
        assert not await gateways.forget(shop.name)


async def test_two_writers_do_not_overwrite_each_other(shop: Service) -> None:
    """A change is made for the split that was read; one whose answer was lost can be made again."""
    async with Gateways([shop.admin_url]) as gateways:
        first = await gateways.put(shop.name, body(5), expected_tag="")
        second = await gateways.put(shop.name, body(50), expected_tag=first)
        assert await gateways.put(shop.name, body(50), expected_tag=first) == second
        for expected in (first, ""):
            with pytest.raises(SplitConflict, match="somebody else"):
                await gateways.put(shop.name, body(100), expected_tag=expected)
        with pytest.raises(SplitConflict):
            await gateways.forget(shop.name, expected_tag=first)
        assert await gateways.get(shop.name) is not None


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"releases": {BLUE: 99}}, "add up to 99"),
        ({"releases": {BLUE: 99.5, GREEN: 0.5}}, "whole numbers"),
        ({"releases": {BLUE: 100}, "colour": "blue"}, "unknown field"),
        ({"releases": {BLUE: 100}, "mirror": {"release": GREEN, "percent": 5}}, "not among releases"),
        ({"releases": {f"{n}": 100 if n == 0 else 0 for n in range(11)}}, "at most 10"),
        ({"releases": {BLUE: 100}, "sticky": {"cookie": "x" * 70_000}}, "longer than"),
    ],
)
async def test_wrong_split_is_refused_with_the_reason(shop: Service, split: dict[str, object], said: str) -> None:
    """And what was there stays."""
    async with Gateways([shop.admin_url]) as gateways:
        tag = await gateways.put(shop.name, body(5))
        with pytest.raises(GatewayRefused, match=said):
            await gateways.put(shop.name, split)
        found = await gateways.get(shop.name)
        assert found is not None
        assert found.tag == tag


async def test_gateway_that_does_not_have_the_split_is_named(
    shop: Service, caddy_server: CaddyServer, tmp_path: Path
) -> None:
    """One that is away, one that has another split, one that is no gateway."""
    async with Gateways([shop.admin_url, AWAY]) as gateways:
        with pytest.raises(GatewayAway, match=AWAY):
            await gateways.put(shop.name, body(5))
    with own_gateway(tmp_path, caddy_server.consul_url) as (_, _, other):
        async with Gateways([shop.admin_url, other]) as gateways:
            with pytest.raises(GatewaysDisagree, match=other):
                await gateways.get(shop.name)
            tag = await gateways.put(shop.name, body(5))
            found = await gateways.get(shop.name)
            assert found is not None
            assert found.tag == tag
    async with Gateways([shop.consul_url]) as gateways:
        with pytest.raises(GatewayRefused, match="not answer as the gateway"):
            await gateways.forget(shop.name)


async def test_all_gateways_are_told_though_one_is_away(
    shop: Service, caddy_server: CaddyServer, tmp_path: Path
) -> None:
    """Whatever split they have; the error names those that failed. Taking it away is told in the same way."""
    with own_gateway(tmp_path, caddy_server.consul_url) as (_, _, other):
        async with Gateways([AWAY, shop.admin_url, other]) as gateways, Gateways([shop.admin_url, other]) as living:
            await living.put(shop.name, body(5))
            with pytest.raises(GatewayAway, match=rf"{AWAY} .*2 of 3 gateways"):
                await gateways.put_everywhere(shop.name, body(0))
            found = await living.get(shop.name)
            assert found is not None
            assert found.body == body(0)
            for _ in range(2):
                await living.put_everywhere(shop.name, None)
            assert await living.get(shop.name) is None
        async with Gateways([shop.admin_url, shop.consul_url, AWAY]) as gateways:
            with pytest.raises(GatewayRefused, match=rf"{shop.consul_url} .*; .*{AWAY}"):
                await gateways.put_everywhere(shop.name, body(0))


async def test_admin_api_may_be_a_socket(tmp_path: Path) -> None:
    """That only its owner can open."""
    socket = tmp_path / "s"
    with own_gateway(tmp_path, AWAY, socket=socket) as (_, _, admin):
        assert socket.stat().st_mode & 0o077 == 0
        async with Gateways([admin]) as gateways:
            tag = await gateways.put("shop", body(5))
            found = await gateways.get("shop")
            assert found is not None
            assert found.tag == tag


def test_admin_api_is_not_for_web_pages(shop: Service) -> None:
    """A page in a browser of this machine reaches it by a name that leads here: refused."""
    rebound = HTTP.get(f"{shop.admin_url}/adx/splits", headers={"Host": "attacker.example"})
    assert rebound.status_code == httpx.codes.FORBIDDEN


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "unix://relative/path", "http://user:word@127.0.0.1:1"])
def test_address_that_is_none_is_refused(url: str) -> None:
    """Before anybody is asked, and without repeating what may hold a password."""
    with pytest.raises(GatewayRefused) as refused:
        Gateways([url])
    assert "word" not in str(refused.value)
