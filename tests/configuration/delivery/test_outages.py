"""Servers that go away in the middle of a rollout's step *configuration*: it waits and ends, or all is as it was."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from tests.configuration.delivery.real_steps import Shop, kept, key, shop_at
from tests.configuration.reading.conftest import BRIEF, REDIS_WITHIN_SECONDS, Servers, hearing
from tests.support.configuration import plain, sealed
from tests.support.configuration_vault import OwnVault, new_transit_key, own_vault
from tests.support.tcp_proxy import TcpProxy, proxied
from workflows.configuration.models import Write
from workflows.configuration.reading import ConfigurationReader
from workflows.configuration.secrets import Sealer

SIZE = key("PAGE_SIZE")
BEFORE, AFTER = {"PAGE_SIZE": 24}, {"PAGE_SIZE": 48}
Read = tuple[object, bool]


class World:
    """A shop whose worker and readers reach store and Redis by links that can be cut."""

    def __init__(self, servers: Servers, shop: Shop, proxy: TcpProxy, readers: dict[str, ConfigurationReader]) -> None:
        self.servers = servers
        self.shop = shop
        self.proxy = proxy
        self.readers = readers
        self.seen: list[dict[str, Read]] = []

    def lose_the_store_while_writing(self) -> None:
        """The first write is not finished; from then on nobody reaches the store."""
        self.proxy.cut_at(b"INSERT INTO configuration_versions", then_refuse=True)
        self.at("write_values", 2, self.lose_the_store)

    async def lose_the_store(self) -> None:
        self.servers.store_link.cut()
        await self.look()

    async def find_the_store(self) -> None:
        await self.look()
        self.servers.store_link.mend()
        self.proxy.allow()

    async def lose_redis(self) -> None:
        self.servers.redis_link.cut()
        await self.look()

    async def find_redis(self) -> None:
        await self.look()
        self.servers.redis_link.mend()

    async def look(self) -> None:
        """What each reader is served now, and whether it is marked as stale."""
        served: dict[str, Read] = {}
        for name, reader in self.readers.items():
            reading = await reader.get_configuration(SIZE)
            served[name] = (reading.value, reading.is_stale)
        self.seen.append(served)

    def at(self, name: str, attempt: int, happening: object) -> None:
        """Let it happen just before this attempt at an activity."""
        self.shop.happenings.before[name, attempt] = happening  # type: ignore[assignment]

    async def everybody_reads(self, value: object) -> None:
        """Wait until every reader has it, unmarked."""
        with anyio.fail_after(60):
            for reader in self.readers.values():
                while (found := await reader.get_configuration(SIZE)).value != value or found.is_stale:
                    await anyio.sleep(0.01)


@asynccontextmanager
async def world_of(servers: Servers, folder: Path, **environ: str) -> AsyncIterator[World]:
    """The value before is in the store; one reader hears of changes, the other has only the store."""
    await servers.write(Write(key=SIZE, value=plain(24)))
    place = urlsplit(servers.store_link.through(servers.store_url))
    with proxied("127.0.0.1", servers.store_link.port) as proxy:
        login = place.netloc.rpartition("@")[0]
        # The worker gives Redis half a second, which a busy machine may need for it; redis-py also takes it by URL.
        patient = f"socket_timeout={REDIS_WITHIN_SECONDS}&socket_connect_timeout={REDIS_WITHIN_SECONDS}"
        settings = {
            "ADX_CONFIGURATION_URL": place._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl(),
            "ADX_REDIS_URL": f"{servers.redis_link.through(servers.redis_url)}?{patient}",
            "ADX_CONFIGURATION_CACHE_KEY": base64.b64encode(servers.cache_key).decode(),
            **environ,
        }
        store, another = servers.store(), servers.store()
        async with (
            shop_at(servers.store_url, folder, **settings) as shop,
            ConfigurationReader(store, shared=servers.shared(), times=BRIEF) as hears,
            ConfigurationReader(another, times=BRIEF) as asks,
        ):
            await hearing(hears)
            world = World(servers, shop, proxy, {"hears": hears, "asks": asks})
            await world.everybody_reads(24)
            yield world
        await store.close()
        await another.close()


@pytest.fixture
async def world(servers: Servers, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(servers, tmp_path) as opened:
        yield opened


async def test_a_store_that_is_lost_while_it_is_written_to_is_waited_for(world: World) -> None:
    """The value is written once; meanwhile readers have the one before, marked where nobody can confirm it."""
    world.lose_the_store_while_writing()
    world.at("write_values", 3, world.find_the_store)

    status = await world.shop.deliver(BEFORE, AFTER)

    assert (status.outcome, world.proxy.cuts) == ("delivered", 1), status.failure
    assert world.seen == [{"hears": (24, False), "asks": (24, True)}] * 2
    assert await kept(world.servers.direct) == {"PAGE_SIZE": (48, 2)}
    await world.everybody_reads(48)


async def test_a_store_that_is_back_too_late_has_what_it_had(world: World) -> None:
    """The restore finds nothing that was written."""
    world.lose_the_store_while_writing()
    world.at("restore_values", 2, world.find_the_store)

    status = await world.shop.deliver(BEFORE, AFTER)

    assert (status.outcome, status.failed_step) == ("restored", "configuration"), status.failure
    assert "cannot be reached" in status.failure
    assert world.shop.attempts("write_values") == 5
    assert await kept(world.servers.direct) == {"PAGE_SIZE": (24, 1)}
    await world.everybody_reads(24)


async def test_a_store_that_does_not_come_back_needs_an_operator_who_is_told_why(world: World) -> None:
    """Nobody claims to know; readers go on with the value before."""
    world.lose_the_store_while_writing()

    status = await world.shop.deliver(BEFORE, AFTER)

    assert status.outcome == "needs-operator"
    assert "the configuration's database cannot be reached" in status.failure
    await world.look()
    assert world.seen[-1] == {"hears": (24, False), "asks": (24, True)}
    await world.find_the_store()
    assert await kept(world.servers.direct) == {"PAGE_SIZE": (24, 1)}
    await world.everybody_reads(24)


async def test_redis_that_is_lost_before_readers_are_told_is_waited_for(world: World) -> None:
    """The value is written once and announced when Redis is back."""
    world.at("write_values", 1, world.lose_redis)
    world.at("write_values", 3, world.find_redis)

    status = await world.shop.deliver(BEFORE, AFTER)

    assert status.outcome == "delivered", status.failure
    assert world.seen[0] == {"hears": (24, False), "asks": (24, False)}
    assert world.seen[1] == {"hears": (48, False), "asks": (48, False)}
    assert await kept(world.servers.direct) == {"PAGE_SIZE": (48, 2)}
    step = next(step for step in status.steps if step.name == "configuration")
    assert step.status == "succeeded"
    await world.everybody_reads(48)


async def test_redis_that_does_not_come_back_brings_the_values_back(world: World) -> None:
    """Readers that could not be told would differ from those that ask the store; now all have the value before."""
    world.at("write_values", 1, world.lose_redis)

    status = await world.shop.deliver(BEFORE, AFTER)

    assert (status.outcome, status.failed_step) == ("restored", "configuration"), status.failure
    assert "Redis cannot be used" in status.failure
    assert await kept(world.servers.direct) == {"PAGE_SIZE": (24, 3)}
    await world.everybody_reads(24)
    world.servers.redis_link.mend()
    await world.everybody_reads(24)


@pytest.fixture
async def guarded(servers: Servers, tmp_path: Path) -> AsyncIterator[tuple[World, OwnVault, dict[str, str]]]:
    """A world with a Vault of its own, and two ciphertexts of one secret."""
    with own_vault(tmp_path) as vault:
        environ = vault.environ(new_transit_key(vault.client))
        sealer = Sealer.from_settings(environ)
        forms = {name: sealer.seal(key("TOKEN"), name) for name in ("old", "new")}
        async with world_of(servers, tmp_path, **environ) as opened:
            await servers.write(Write(key=key("TOKEN"), value=sealed(forms["old"])))
            yield opened, vault, forms


@pytest.mark.parametrize("is_back", [True, False], ids=["comes back", "stays away"])
async def test_a_vault_that_is_sealed_when_ciphertexts_are_checked(
    guarded: tuple[World, OwnVault, dict[str, str]], is_back: bool
) -> None:
    """It is waited for; where it stays sealed nothing was written, and nothing has to come back."""
    world, vault, forms = guarded

    async def seal() -> None:
        vault.seal()

    async def unseal() -> None:
        vault.unseal()

    world.at("check_values", 1, seal)
    if is_back:
        world.at("check_values", 3, unseal)

    status = await world.shop.deliver(BEFORE | {"TOKEN": forms["old"]}, AFTER | {"TOKEN": forms["new"]})

    found = await kept(world.servers.direct)
    if is_back:
        assert status.outcome == "delivered", status.failure
        assert found == {"PAGE_SIZE": (48, 2), "TOKEN": (forms["new"], 2)}
    else:
        assert (status.outcome, status.failed_step) == ("restored", "configuration"), status.failure
        assert "sealed" in status.failure
        assert found == {"PAGE_SIZE": (24, 1), "TOKEN": (forms["old"], 1)}
        assert world.shop.attempts("check_values") == 5
    await world.everybody_reads(48 if is_back else 24)
