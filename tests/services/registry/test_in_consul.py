"""Registering and finding through a real Consul."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.services.registry.agent import Agent
from tests.services.registry.conftest import Web, until, until_none, until_ports
from tests.support.local_stack import ConsulServer
from workflows.clients.consul import Consul, ConsulAway, ConsulRefused
from workflows.services.registry import (
    ConsulRegistry,
    Discovery,
    Endpoint,
    GrpcCheck,
    HealthCheck,
    HttpCheck,
    OfferedWorkflow,
    RegistrationRefused,
    ServiceConfig,
    ServiceRegistration,
    TcpCheck,
    TtlCheck,
    registered,
)
from workflows.services.registry.in_consul import arguments_of, next_index

Made = Callable[..., ServiceRegistration]
SOON: dict[str, Any] = {"interval_seconds": 1.0, "timeout_seconds": 1.0}


@pytest.fixture
def made(name: str) -> Made:
    """A registration: where a check asks, at a port of this machine; else at an address that no other test has."""
    own = str(ipaddress.IPv4Address("127.1.0.0") + uuid.uuid4().int % 2**23)

    def make(port: int, check: HealthCheck | None = None, **more: Any) -> ServiceRegistration:
        check = check or TtlCheck(ttl_seconds=60)
        address = own if isinstance(check, TtlCheck) else "127.0.0.1"
        given = {"version": "1.4.2", "endpoints": (Endpoint("http", address, port),), "health_check": check}
        return ServiceRegistration(**({"name": name} | given | more))

    return make


@pytest.fixture
def grpc_port() -> Iterator[int]:
    """A gRPC server whose health is SERVING (grpc.health.v1: status = 1)."""
    serving = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"\x08\x01")
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": serving})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


async def test_what_was_registered_is_found(registry: ConsulRegistry, discovery: Discovery, made: Made) -> None:
    asked = made(
        20_001,
        release="9f2c01ab",
        commit="a" * 40,
        tenants=("acme",),
        weight=3,
        workflows=(OfferedWorkflow("cart", "Checkout"),),
        config=ServiceConfig(dependencies=("currency",), feature_flags=("gift",)),
    )
    async with registered(registry, asked):
        found = await discovery.discover_service(asked.name, release="9f2c01ab", tenant="acme")

    assert (found.id, found.address, found.port, found.weight) == (asked.id, asked.endpoints[0].address, 20_001, 3)
    assert (found.version, found.release, found.commit, found.tenants) == ("1.4.2", "9f2c01ab", "a" * 40, ("acme",))
    assert (found.workflows, found.config, found.endpoints) == (asked.workflows, asked.config, asked.endpoints)


async def test_instances_come_and_go(registry: ConsulRegistry, discovery: Discovery, made: Made) -> None:
    async with registered(registry, made(20_001)):
        picker = await discovery.picker(made(1).name)
        async with registered(registry, made(20_002)):
            await until_ports(picker, 20_001, 20_002)
        await until_ports(picker, 20_001)
    assert "none is registered" in str(await until_none(discovery, made(1).name))


async def test_an_instance_that_goes_critical_is_not_given_out(
    registry: ConsulRegistry, discovery: Discovery, made: Made, web: Web
) -> None:
    check = HttpCheck(path="/well?deep=1", **SOON)
    async with registered(registry, made(web.port, check)), registered(registry, made(20_002)):
        picker = await discovery.picker(made(1).name)
        await until_ports(picker, web.port, 20_002)
        web.status = 503
        await until_ports(picker, 20_002)
        web.status = 200
        await until_ports(picker, web.port, 20_002)
    assert web.asked == {"/well?deep=1"}


async def test_tcp_and_grpc_checks_pass_only_where_somebody_is_well(
    registry: ConsulRegistry, discovery: Discovery, made: Made, web: Web, grpc_port: int
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # a port that nobody else can have, and that nobody listens at
        nobody = unused.getsockname()[1]
        async with (
            registered(registry, made(web.port, TcpCheck(**SOON))),
            registered(registry, made(grpc_port, GrpcCheck(service="cart", **SOON))),
            registered(registry, made(nobody, TcpCheck(**SOON))),
        ):
            await until_ports(await discovery.picker(made(1).name), web.port, grpc_port)


async def test_heartbeats_keep_an_instance_and_their_end_loses_it(
    registry: ConsulRegistry, discovery: Discovery, made: Made
) -> None:
    picker, second = await discovery.picker(made(1).name), made(20_002, TtlCheck(ttl_seconds=1))
    async with registered(registry, made(20_001, TtlCheck(ttl_seconds=1))):
        await registry.register(second)

        async def renewed() -> int:
            await registry.renew(second)
            return len(picker.instances())

        await until(renewed, lambda now: now == 2)
        await until_ports(picker, 20_001)  # whoever says nothing lapses; the other one has outlived it
        assert (await discovery.discover_service(made(1).name)).port == 20_001
    await registry.deregister(second)


async def test_one_port_is_one_instance_but_the_dead_make_room(
    registry: ConsulRegistry, consul_server: ConsulServer, made: Made
) -> None:
    first = made(20_001, TtlCheck(ttl_seconds=3))
    other = made(20_001, name=f"{made(1).name}-other")
    await registry.register(first)
    with pytest.raises(RegistrationRefused, match=f"{first.id} of {first.name} is there"):
        await registry.register(other)

    async def try_again() -> bool:
        try:
            await registry.register(other)
        except RegistrationRefused:
            return False
        return True

    await until(try_again, bool)  # the TTL of the first lapses
    client = Consul(consul_server.url)
    assert await client.services(f'Service == "{first.name}"') == {}
    await client.close()
    await registry.deregister(other)


async def test_a_service_takes_the_place_of_what_it_was_before(
    registry: ConsulRegistry, consul_server: ConsulServer, made: Made, web: Web
) -> None:
    """The check of the old id passes: it asks the port, where the new process answers."""
    before, now = (made(web.port, HttpCheck(**SOON), release=release) for release in ("aaaaaaaa", "bbbbbbbb"))
    client = Consul(consul_server.url)
    await registry.register(before)
    await until(lambda: client.healthy(before.name, index=0, wait_seconds=1), lambda now: len(now.entries) == 1)
    await registry.register(now)
    assert list(await client.services(f'Service == "{now.name}"')) == [now.id]
    await client.close()
    await registry.deregister(now)


async def test_another_kind_of_check_replaces_the_one_before(
    registry: ConsulRegistry, consul_server: ConsulServer, made: Made, web: Web
) -> None:
    """Else the old one fails once nobody sends heartbeats any more."""
    tcp = made(web.port, TcpCheck(**SOON))
    await registry.register(made(web.port, TtlCheck(), endpoints=tcp.endpoints))
    await registry.register(tcp)
    async with httpx.AsyncClient(base_url=consul_server.url, trust_env=False) as client:

        async def types() -> list[str]:
            checks = (await client.get(f"/v1/health/checks/{made(1).name}")).json()
            return [check["Type"] for check in checks]

        await until(types, lambda now: now == ["tcp"])
    await registry.deregister(tcp)


async def test_cancelling_a_wait_ends_its_connection(consul_server: ConsulServer, name: str) -> None:
    client = Consul(consul_server.url)
    first = await client.healthy(name, index=0, wait_seconds=60)
    waiting = asyncio.create_task(client.healthy(name, index=first.index, wait_seconds=60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    again = await client.healthy(name, index=0, wait_seconds=60)
    assert again.entries == []
    await client.close()


async def test_a_connection_without_an_answer_ends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that to a host which is gone: nobody says so."""
    monkeypatch.setattr("workflows.clients.consul.TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Consul(f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with asyncio.timeout(20):
            with pytest.raises(ConsulAway):
                await client.healthy(name, index=1, wait_seconds=0.1)
            with pytest.raises(ConsulAway):
                await client.pass_check(name)
        await client.close()


def test_checks_are_written_as_consul_reads_them(made: Made) -> None:
    """Consul manual, "Define health checks". Taking out what stays critical takes it a minute."""

    def asked(kind: str) -> dict[str, str]:
        return {
            "Name": f"{made(1).name} is well",
            "CheckID": f"service:{made(1, TtlCheck() if kind == 'ttl' else TcpCheck()).id}:{kind}",
        }

    pace = {"interval": "10000ms", "timeout": "2000ms", "DeregisterCriticalServiceAfter": "600000ms"}
    http = {"http": "https://127.0.0.1:1/healthz", "DisableRedirects": True}
    assert arguments_of(made(1, HttpCheck(use_tls=True)))["check"] == asked("http") | pace | http
    grpc_check = {"grpc": "127.0.0.1:1/cart", "grpc_use_tls": False}
    assert arguments_of(made(1, GrpcCheck(service="cart")))["check"] == asked("grpc") | pace | grpc_check
    assert arguments_of(made(1, TcpCheck()))["check"] == asked("tcp") | pace | {"tcp": "127.0.0.1:1"}
    ttl = {"ttl": "15000ms", "DeregisterCriticalServiceAfter": "600000ms"}
    assert arguments_of(made(1, TtlCheck()))["check"] == asked("ttl") | ttl
    ipv6 = made(1, TcpCheck(), endpoints=(Endpoint("http", "fd00::7", 80),))
    assert arguments_of(ipv6)["check"]["tcp"] == "[fd00::7]:80"


async def test_instances_of_several_agents_are_told_apart(
    consul_server: ConsulServer, discovery: Discovery, name: str
) -> None:
    """Written into the catalogue, as agents on other machines do, by somebody who leaves ids to Consul."""
    async with httpx.AsyncClient(base_url=consul_server.url, trust_env=False) as client:
        for node, address in ((f"{name}-a", "10.0.0.1"), (f"{name}-b", "10.0.0.2")):
            service = {"Service": name, "Port": 80, "Weights": {"Passing": 3, "Warning": 1}}
            body = {"Node": node, "Address": address, "Service": service}
            (await client.put("/v1/catalog/register", json=body)).raise_for_status()
        picker = await discovery.picker(name)
        await until_ports(picker, 80, 80)
        found = {(instance.id, instance.address, instance.weight) for instance in picker.instances()}
        for node in ("a", "b"):
            (await client.put("/v1/catalog/deregister", json={"Node": f"{name}-{node}"})).raise_for_status()
    assert found == {(f"{name}@{name}-a", "10.0.0.1", 3), (f"{name}@{name}-b", "10.0.0.2", 3)}


def test_index_rules() -> None:
    """Consul manual, "Blocking Queries"."""
    assert next_index(0, 17) == 17
    assert next_index(17, 17) == 17
    assert next_index(17, 3) == 0
    assert next_index(0, 0) == 1


async def test_a_token_comes_from_its_file_and_may_change_there(tmp_path: Path, made: Made) -> None:
    root, file = "5e1f6c1e-3f0a-4a55-9d43-8a9a0a1f2b3c", tmp_path / "token"
    rights = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": root, "agent": root}}
    agent = Agent(tmp_path, acl=rights)
    agent.start(token=root)
    file.write_text("00000000-1111-2222-3333-444444444444\n")
    client = Consul(agent.url, token_file=file)
    try:
        registry = ConsulRegistry(client)
        with pytest.raises(ConsulRefused) as refused:
            await registry.register(made(20_001))
        assert "00000000-1111" not in str(refused.value)
        file.write_text(root + "\n")
        await registry.register(made(20_001))
        await until(lambda: client.healthy(made(1).name, index=0, wait_seconds=1), lambda now: len(now.entries) == 1)
        file.write_text(_token_without_rights(agent.url, root))
        with pytest.raises(ConsulRefused, match="may not read"):  # and not: there is none
            await client.healthy(made(1).name, index=0, wait_seconds=1)
    finally:
        await client.close()
        agent.end()


def _token_without_rights(url: str, root: str) -> str:
    made = httpx.put(f"{url}/v1/acl/token", json={}, headers={"X-Consul-Token": root}, trust_env=False)
    return str(made.raise_for_status().json()["SecretID"])


async def test_a_wrong_address_is_said_to_be_one(tmp_path: Path, web: Web) -> None:
    with pytest.raises(ConsulRefused, match="address of Consul"):
        Consul.from_environ({})
    with pytest.raises(ConsulRefused, match="address of Consul"):
        Consul("http://127.0.0.1:99999")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConsulRefused, match="token is empty"):
        await Consul("http://127.0.0.1:9", token_file=tmp_path / "empty").healthy("cart", index=0, wait_seconds=1)
    with pytest.raises(ConsulRefused, match="token is empty"):
        await Consul("http://127.0.0.1:9", token_file=tmp_path / "empty").services('ID == "cart"')
    with pytest.raises(ConsulRefused, match="token cannot be read"):
        await Consul("http://127.0.0.1:9", token_file=tmp_path / "none").healthy("cart", index=0, wait_seconds=1)
    with pytest.raises(ConsulAway):
        await Consul("http://127.0.0.1:9").services('ID == "cart"')
    with pytest.raises(ConsulRefused, match="no Consul"):
        await Consul(f"http://127.0.0.1:{web.port}").healthy("cart", index=0, wait_seconds=1)
