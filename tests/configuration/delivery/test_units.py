"""Values of a tenant, delivered with its wave on real servers that go away in the middle of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import msgspec
import pytest

from policies.configuration.values import ConfigurationKey
from policies.errors import AdxError
from tests.configuration.delivery.doubles import new_secret
from tests.configuration.delivery.listener import listening
from tests.configuration.delivery.real_steps import ENVIRONMENT, ROLLOUT, key
from tests.configuration.delivery.test_outages import World, world_of
from tests.configuration.reading.conftest import Servers
from tests.support.configuration import plain
from tests.support.configuration_command import make_shop
from tests.support.desired import tenant_unit
from workflows.cells.models import CellLease
from workflows.configuration import notify, units
from workflows.configuration.errors import StoreBusy, StoreRefused, StoreTimedOut, StoreUnreachable
from workflows.configuration.models import Write
from workflows.configuration.notify import Webhook

SIZE: ConfigurationKey = msgspec.structs.replace(key("PAGE_SIZE"), tenant_id="acme")


@dataclass(frozen=True)
class RuntimeDouble:
    """What the delivery of units needs of a runtime."""

    environ: dict[str, str]
    repository: Any


@dataclass
class Wave:
    """A tenant whose page size is 24, and is to be 48. Pauses are kept and not made; the store is back ``back_at``."""

    world: World
    runtime: RuntimeDouble
    commit: str
    pauses: list[float] = field(default_factory=list)
    back_at: int = 0

    async def deliver(self) -> dict[str, str]:
        """Why the tenant's values could not be delivered; empty where they were."""
        before, after = (tenant_unit(ENVIRONMENT, configuration={"frontend": {"PAGE_SIZE": size}}) for size in (24, 48))
        lease = CellLease(ENVIRONMENT, ROLLOUT, 1)
        moves = {"tenant/acme": (before, after)}
        runtime = cast("Any", self.runtime)
        return await units.deliver_units(runtime, lease, self.commit, moves, "1.1.new", pause=self.pause)

    async def pause(self, seconds: float) -> None:
        """No time goes by."""
        self.pauses.append(seconds)
        if len(self.pauses) == self.back_at:
            self.world.servers.store_link.mend()

    async def is_heard(self, value: object) -> None:
        """Wait until the reader that hears of changes has it."""
        with anyio.fail_after(30):
            while (await self.world.readers["hears"].get_configuration(SIZE)).value != value:
                await anyio.sleep(0.01)


@dataclass(frozen=True)
class _Repository:
    path: Path


@pytest.fixture
async def wave(servers: Servers, tmp_path: Path) -> AsyncIterator[Wave]:
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


async def test_services_are_told_of_what_an_attempt_before_wrote(wave: Wave, tmp_path: Path) -> None:
    """Its worker ended before it told them."""
    secret_file, webhooks = tmp_path / "secret", tmp_path / "webhooks.json"
    secret_file.write_text(new_secret())
    await wave.world.servers.write(Write(key=SIZE, value=plain(48)))
    with listening() as service:
        webhooks.write_bytes(msgspec.json.encode([Webhook("*", "frontend", service.url, str(secret_file))]))
        wave.runtime.environ[notify.SETTING] = str(webhooks)

        assert await wave.deliver() == {}

    ((_, body),) = service.got
    assert msgspec.json.decode(body)["values"] == [{"key": "PAGE_SIZE", "tenant": "acme", "version": 2}]


async def test_a_store_that_is_away_for_half_a_minute_is_waited_for(wave: Wave) -> None:
    """As long as a step of a rollout waits for it."""
    wave.world.servers.store_link.cut()
    wave.back_at = 4

    assert await wave.deliver() == {}

    assert sum(wave.pauses) == 30
    assert await tenants(wave) == (48, 2)
    await wave.is_heard(48)


@pytest.mark.parametrize(
    ("error", "attempts"), [(StoreUnreachable, 5), (StoreTimedOut, 5), (StoreBusy, 5), (StoreRefused, 1)]
)
async def test_what_passes_is_tried_again_and_what_does_not_is_not(error: type[AdxError], attempts: int) -> None:
    """No answer in time and two writers at once pass as a lost connection does."""
    tried: list[type[AdxError]] = []
    pauses: list[float] = []

    async def work() -> None:
        tried.append(error)
        raise error("the store")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(error):
        await units._persistently(work, pause)

    assert len(tried) == attempts
    assert sum(pauses) == (30 if attempts > 1 else 0)


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
