"""Values of a tenant, delivered with its wave on real servers that go away in the middle of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import pytest

from policies.configuration.values import ConfigurationKey
from tests.configuration.delivery.real_steps import ENVIRONMENT, ROLLOUT, key
from tests.configuration.delivery.test_outages import World, world_of
from tests.configuration.reading.conftest import Servers
from tests.support.configuration import plain
from tests.support.configuration_command import make_shop
from tests.support.desired import tenant_unit
from workflows.cells.models import CellLease
from workflows.configuration import units
from workflows.configuration.models import Write

SIZE: ConfigurationKey = msgspec.structs.replace(key("PAGE_SIZE"), tenant_id="acme")


@dataclass(frozen=True)
class RuntimeDouble:
    """What the delivery of units needs of a runtime."""

    environ: dict[str, str]
    repository: Any


@dataclass
class Wave:
    """A tenant whose page size is 24, and is to be 48."""

    world: World
    runtime: RuntimeDouble
    commit: str

    async def deliver(self) -> dict[str, str]:
        """Why the tenant's values could not be delivered; empty where they were."""
        before, after = (tenant_unit(ENVIRONMENT, configuration={"frontend": {"PAGE_SIZE": size}}) for size in (24, 48))
        lease = CellLease(ENVIRONMENT, ROLLOUT, 1)
        moves = {"tenant/acme": (before, after)}
        return await units.deliver_units(cast("Any", self.runtime), lease, self.commit, moves, "1.1.new")

    async def is_heard(self, value: object) -> None:
        """Wait until the reader that hears of changes has it."""
        with anyio.fail_after(30):
            while (await self.world.readers["hears"].get_configuration(SIZE)).value != value:
                await anyio.sleep(0.01)


@dataclass(frozen=True)
class _Repository:
    path: Path


@pytest.fixture
async def wave(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wave]:
    monkeypatch.setattr(units, "PAUSE_SECONDS", 0.01)
    repository = make_shop(tmp_path)
    async with world_of(servers, tmp_path) as world:
        await servers.write(Write(key=SIZE, value=plain(24)))
        found = Wave(
            world,
            RuntimeDouble(world.shop.environ, _Repository(repository.folder)),
            repository.git("rev-parse", "HEAD").strip(),
        )
        await found.is_heard(24)
        yield found


async def test_a_store_that_is_lost_while_it_is_written_to_is_asked_again(wave: Wave) -> None:
    """For a connection that breaks no wave is brought back."""
    wave.world.proxy.cut_at(b"INSERT INTO configuration_versions")

    assert await wave.deliver() == {}

    assert wave.world.proxy.cuts == 1
    assert await tenants(wave) == (48, 2)
    await wave.is_heard(48)


async def test_a_write_whose_answer_is_lost_is_found_and_announced(wave: Wave) -> None:
    """It is done once, and readers hear of it: to the second attempt nothing looks changed."""
    commits_before = 3  # two look at the version of the tables, one reads what is kept
    wave.world.proxy.cut_at(b"COMMIT\x00", b"COMMIT\x00", skip=commits_before)

    assert await wave.deliver() == {}

    assert wave.world.proxy.cuts == 1
    assert await tenants(wave) == (48, 2)
    await wave.is_heard(48)


async def test_what_an_attempt_before_wrote_and_did_not_announce_is_announced(wave: Wave) -> None:
    """Its worker ended between the two."""
    await wave.world.servers.write(Write(key=SIZE, value=plain(48)), announce=False)

    assert await wave.deliver() == {}

    assert await tenants(wave) == (48, 2)
    await wave.is_heard(48)


async def test_a_redis_that_stays_away_is_why_the_unit_is_not_delivered(wave: Wave) -> None:
    """Then the wave brings the unit back."""
    wave.world.servers.redis_link.cut()

    found = await wave.deliver()

    assert set(found) == {"tenant/acme"}
    assert "Redis cannot be used" in found["tenant/acme"]


async def tenants(wave: Wave) -> tuple[object, int]:
    """Value and version of the tenant's own page size."""
    record = await wave.world.servers.direct.find_by_id(SIZE.id)
    assert record is not None
    return record.value.value, record.version
