"""What stays when the gateway or the registry is killed."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.stack.ports import choose
from scripts.traffic.load import Load
from tests.services.gateway.harness import HTTP, Program, load_configuration, own_consul, own_gateway, service
from tests.support.local_stack import CaddyServer
from tests.support.waiting import wait_until

BLUE, GREEN = "aaaaaaaa", "bbbbbbbb"


async def test_gateway_and_registry_may_both_be_killed(tmp_path: Path) -> None:
    """A killed gateway comes back with the last split; traffic goes on without the registry, and after it is back."""
    with own_consul(tmp_path) as registry:
        consul_url = f"http://{urlsplit(registry.url).netloc}"
        with own_gateway(tmp_path, consul_url) as (gateway, url, admin), service(url, admin, consul_url) as shop:
            blue, green = await asyncio.to_thread(shop.add, BLUE), await asyncio.to_thread(shop.add, GREEN)
            tag = (await asyncio.to_thread(shop.put, {BLUE: 80, GREEN: 20})).headers["ETag"]
            remembered = tmp_path / "state" / "instances.json"
            wait_until(
                lambda: remembered.read_text() if remembered.exists() else "",
                lambda text: blue.address in text and green.address in text,
            )

            gateway.kill()
            await asyncio.to_thread(gateway.start)
            present = await asyncio.to_thread(HTTP.get, f"{admin}/adx/splits/{shop.name}")
            assert present.headers["ETag"] == tag
            assert (await Load(f"{shop.at}/").run(100)).by_release == {BLUE: 80, GREEN: 20}

            await asyncio.to_thread(_load_the_same_configuration, gateway, admin)
            assert (await Load(f"{shop.at}/").run(100)).by_release == {BLUE: 80, GREEN: 20}

            load = Load(f"{shop.at}/", connections=4)
            load.start()
            registry.kill()
            await load.sent(300)
            assert (await load.stop()).failed == 0

            gateway.kill()
            await asyncio.to_thread(gateway.start)
            assert (await Load(f"{shop.at}/").run(100)).by_release == {BLUE: 80, GREEN: 20}, "from what it wrote down"

            load.start()
            await asyncio.to_thread(registry.start)  # a dev agent forgets everything: nobody is registered
            both = {blue.address, green.address}
            wait_until(lambda: _unconfirmed(admin, shop.name), lambda addresses: addresses == both)
            await load.sent(300)
            for instance in (blue, green):
                await asyncio.to_thread(shop.register, instance)
            wait_until(lambda: _unconfirmed(admin, shop.name), lambda addresses: addresses == set())
            await asyncio.to_thread(shop.deregister, green)
            await asyncio.to_thread(shop.wait_until_forgotten, green)
            assert (await load.stop()).failed == 0
            assert (await Load(f"{shop.at}/").run(100)).by_release == {BLUE: 100}


def test_damaged_state_is_not_passed_over(tmp_path: Path) -> None:
    """The gateway does not start, and says which file it is: without its splits it would send requests anywhere."""
    with own_gateway(tmp_path, "http://127.0.0.1:1") as (gateway, _, admin):
        body = {"releases": {BLUE: 100}}
        assert HTTP.put(f"{admin}/adx/splits/shop", json=body).is_success
        gateway.kill()
        state = tmp_path / "state" / "splits.json"
        assert state.read_text().count(BLUE) == 1
        assert list(state.parent.glob("*.tmp")) == []
        state.write_text(state.read_text()[:-10])
        assert gateway.process is not None
        log = gateway.log_file.stat().st_size
        ended = gateway.ends()
        assert ended != 0
        assert f"{state} is damaged" in gateway.log_file.read_text()[log:]


def test_state_folder_has_one_gateway(tmp_path: Path) -> None:
    """A second one would write over the splits of the first; it does not start."""
    with own_gateway(tmp_path, "http://127.0.0.1:1") as (gateway, _, _):
        second = Program(gateway.command, gateway.url, tmp_path / "second.log")
        present = json.loads((tmp_path / "caddy.json").read_text())
        present["admin"]["listen"] = f"127.0.0.1:{choose(set())}"
        (tmp_path / "second.json").write_text(json.dumps(present))
        second.command = [*gateway.command[:-1], str(tmp_path / "second.json")]
        assert second.ends() != 0
        assert "in use by another gateway" in second.log_file.read_text()


def test_configuration_that_cannot_be_started_takes_no_admin_api_away(tmp_path: Path) -> None:
    """One with a state folder of its own, and a port that somebody else has."""
    with (
        own_gateway(tmp_path, "http://127.0.0.1:1") as (gateway, _, admin),
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        assert HTTP.put(f"{admin}/adx/splits/shop", json={"releases": {BLUE: 100}}).is_success
        other = HTTP.get(f"{admin}/config/").json()
        other["apps"]["adx"]["state_folder"] = str(tmp_path / "other")
        other["apps"]["http"]["servers"]["gateway"]["listen"] = [f"127.0.0.1:{taken.getsockname()[1]}"]
        assert load_configuration(gateway, admin, other).status_code == 400
        assert HTTP.get(f"{admin}/adx/splits/shop").json()["releases"] == {BLUE: 100}
        other["apps"]["adx"] |= {"state_folder": str(tmp_path / "state"), "mirror_at_once": 1}
        refused = load_configuration(gateway, admin, other)
        assert (refused.status_code, "need a restart" in refused.text) == (400, True)
        assert HTTP.get(f"{admin}/adx/splits/shop").is_success


def test_what_is_set_is_in_use(caddy_server: CaddyServer, tmp_path: Path) -> None:
    """An instance that hangs is given up and counted; a proxy that is trusted may say for whom it asks."""
    # Not shorter: the instance has to answer everything else within it, on a busy machine, too.
    more: dict[str, Any] = {"response_header_timeout_seconds": 5, "trusted_proxies": ("127.0.0.0/8",)}
    with (
        own_gateway(tmp_path, caddy_server.consul_url, **more) as (_, url, admin),
        service(url, admin, caddy_server.consul_url) as shop,
    ):
        shop.add(BLUE)
        answer = HTTP.get(f"{shop.at}/delay/600000")
        assert (answer.status_code, answer.text) == (504, f"{shop.name}: the instance took too long\n")
        assert shop.metric("adx_gateway_requests_total", release=BLUE, code="504") == 1
        told = HTTP.get(f"{shop.at}/echo", headers={"X-Forwarded-For": "203.0.113.7"}).json()["headers"]
        assert told["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
        at_other = f"{caddy_server.url}/{shop.name}/echo"
        told = HTTP.get(at_other, headers={"X-Forwarded-For": "203.0.113.7"}).json()["headers"]
        assert told["x-forwarded-for"] == "127.0.0.1"


def _load_the_same_configuration(gateway: Program, admin: str) -> None:
    present = HTTP.get(f"{admin}/config/").json()
    load_configuration(gateway, admin, present, **{"Cache-Control": "must-revalidate"}).raise_for_status()


def _unconfirmed(admin: str, name: str) -> set[str]:
    """The instances that are kept though the registry, which is back, does not list them."""
    return set(HTTP.get(f"{admin}/adx/services/{name}").json()["unconfirmed"])
