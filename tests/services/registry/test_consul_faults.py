"""Consul is killed, forgets everything, or falls silent while services are registered and looked for."""

from __future__ import annotations

import re
import signal

import msgspec

from tests.services.registry.agent import Agent
from tests.services.registry.conftest import until, until_none, until_ports
from workflows.clients.consul import Consul
from workflows.services.registry import (
    ConsulRegistry,
    Discovery,
    Endpoint,
    ServiceRegistration,
    TcpCheck,
    Times,
    TtlCheck,
    registered,
)

CART = ServiceRegistration(
    name="cart",
    version="1.4.2",
    endpoints=(Endpoint("http", "127.0.0.1", 20_001),),
    health_check=TtlCheck(ttl_seconds=1.5),
)


async def test_a_killed_consul_is_survived_until_the_bound_and_found_again(agent: Agent) -> None:
    """The new one has forgotten everything, and counts its indexes from the beginning."""
    registry = ConsulRegistry(Consul(agent.url))
    times = Times(stale=3, first_backoff=0.05, longest_backoff=0.2)
    async with registered(registry, CART), Discovery(registry, times) as discovery:
        picker = await discovery.picker("cart")
        await until_ports(picker, 20_001)
        agent.end()
        error = await until_none(discovery, "cart")  # picks succeed until then
        silent = re.search(r"has not answered for (\d+) s", str(error))
        assert silent is not None
        assert int(silent[1]) >= 3  # since it was heard last: how long before the kill that was, nobody knows
        assert "Consul cannot be used" in str(error)

        agent.start()
        await until_ports(picker, 20_001)
    await registry.close()


async def test_a_silent_consul_counts_as_away_after_the_bound(agent: Agent) -> None:
    """Its connections stay open, and no query ever fails."""
    registry = ConsulRegistry(Consul(agent.url))
    asked = msgspec.structs.replace(CART, health_check=TtlCheck(ttl_seconds=300))  # nobody sends heartbeats here
    async with Discovery(registry, Times(stale=2)) as discovery:
        await registry.register(asked)
        picker = await discovery.picker("cart")
        await until_ports(picker, 20_001)
        agent.send(signal.SIGSTOP)
        try:
            assert picker.pick().port == 20_001
            assert "has not answered for" in str(await until_none(discovery, "cart"))
        finally:
            agent.send(signal.SIGCONT)
        await registry.register(asked)
        await until_ports(picker, 20_001)
    await registry.close()


async def test_an_agent_that_forgot_gets_its_services_again_without_heartbeats(agent: Agent) -> None:
    """A check that Consul makes by itself needs no heartbeat, but the registration does."""
    client = Consul(agent.url)
    registry = ConsulRegistry(client)
    check = TcpCheck(interval_seconds=1, timeout_seconds=1)
    async with registered(registry, msgspec.structs.replace(CART, health_check=check)):
        agent.end()
        agent.start()
        await until(lambda: client.services('ID == "cart-127-0-0-1-20001"'), bool)
    assert await client.services('ID == "cart-127-0-0-1-20001"') == {}
    await registry.close()
