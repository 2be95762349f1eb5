"""What discovery gives out, by a registry and a clock that do as they are told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from workflows.errors import AdxConnectionError
from workflows.services.registry import (
    Discovery,
    Endpoint,
    Instance,
    NoHealthyServices,
    ServiceRegistration,
    Times,
    TtlCheck,
    registered,
)
from workflows.services.registry.interface import Instances

TIMES = Times(stale=300, first_answer=5, first_backoff=0.001, longest_backoff=0.002)


def instance(number: int, *, release: str = "", version: str = "", tenants: tuple[str, ...] = ()) -> Instance:
    return Instance(
        id=str(number), name="cart", address="10.0.0.7", port=number, release=release, version=version, tenants=tenants
    )


class Told:
    """A registry that says what is put into ``answers``; an error is raised."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Instances | Exception] = asyncio.Queue()
        self.watched: list[str] = []
        self.open, self.every_seconds = 0, 0.0

    async def say(self, *answers: Instances | Exception) -> None:
        """Return once the watcher has heard all of ``answers``."""
        for answer in answers:
            self.answers.put_nowait(answer)
        await self.answers.join()

    async def watch(self, name: str, *, every_seconds: float) -> AsyncGenerator[Instances, None]:
        self.watched.append(name)
        self.every_seconds = every_seconds
        self.open += 1
        try:
            while True:
                answer = await self.answers.get()
                if isinstance(answer, Exception):
                    asyncio.get_running_loop().call_soon(self.answers.task_done)
                    raise answer
                yield answer
                self.answers.task_done()
        finally:
            self.open -= 1

    async def register(self, registration: ServiceRegistration) -> None: ...

    async def renew(self, registration: ServiceRegistration) -> None: ...

    async def deregister(self, registration: ServiceRegistration) -> None: ...

    async def close(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def discovery(told: Told, clock: Clock) -> AsyncIterator[Discovery]:
    async with Discovery(told, TIMES, clock=clock) as made:
        yield made


async def found(discovery: Discovery, **choice: str) -> set[str]:
    """The ids that ``choice`` gives in twelve picks."""
    return {(await discovery.discover_service("cart", **choice)).id for _ in range(12)}  # type: ignore[arg-type]


async def test_release_version_and_tenant_choose(discovery: Discovery, told: Told) -> None:
    told.answers.put_nowait(
        (
            instance(1, release="blue", version="1.0.0"),
            instance(2, release="green", version="1.1.0"),
            instance(3, release="green", version="1.1.0", tenants=("acme", "globex")),
        )
    )
    assert await found(discovery) == {"1", "2"}
    assert await found(discovery, release="green") == {"2"}
    assert await found(discovery, version="1.0.0") == {"1"}
    assert await found(discovery, tenant="acme") == {"1", "2", "3"}
    assert await found(discovery, tenant="acme", release="green") == {"2", "3"}
    assert await found(discovery, tenant="initech") == {"1", "2"}
    with pytest.raises(NoHealthyServices, match="none of the 3 that are well is release red") as missing:
        await discovery.discover_service("cart", release="red")
    assert missing.value.name == "cart"


async def test_all_who_ask_share_one_watcher(discovery: Discovery, told: Told) -> None:
    told.answers.put_nowait((instance(1),))
    await asyncio.gather(*(discovery.discover_service("cart", tenant=f"t{number % 3}") for number in range(30)))
    assert told.watched == ["cart"]
    assert told.every_seconds == 60


async def test_a_registry_has_to_be_heard_well_before_it_counts_as_away(told: Told) -> None:
    async with Discovery(told, Times(stale=20)) as discovery:
        told.answers.put_nowait((instance(1),))
        await discovery.discover_service("cart")
    assert told.every_seconds == 5


async def test_a_change_reaches_pickers_made_before(discovery: Discovery, told: Told) -> None:
    told.answers.put_nowait((instance(1),))
    picker = await discovery.picker("cart")
    assert picker.pick().id == "1"
    await told.say((instance(2),))
    assert picker.pick().id == "2"
    await told.say(())
    with pytest.raises(NoHealthyServices, match="none is registered whose checks pass"):
        picker.pick()


async def test_the_last_known_are_served_for_as_long_as_said(discovery: Discovery, told: Told, clock: Clock) -> None:
    told.answers.put_nowait((instance(1),))
    picker = await discovery.picker("cart")
    clock.now += 100
    await told.say((instance(1),))  # nothing new, but a sign of life
    await told.say(AdxConnectionError("gone away"), AdxConnectionError("gone away"))
    clock.now += 300
    assert picker.pick().id == "1"
    clock.now += 1
    with pytest.raises(NoHealthyServices, match=r"not answered for 301 s \(gone away\)"):
        picker.pick()
    assert picker.instances() == ()
    await told.say((instance(1), instance(2)))
    assert len(picker.instances()) == 2


async def test_a_registry_that_never_answered_is_said_to_be_away(told: Told) -> None:
    async with Discovery(told, Times(first_answer=0.01)) as discovery:
        with pytest.raises(NoHealthyServices, match="not answered yet"):
            await discovery.discover_service("cart")


async def test_a_mistake_in_a_registry_ends_no_watcher(discovery: Discovery, told: Told) -> None:
    """What is known stays, and it is asked again."""
    told.answers.put_nowait((instance(1),))
    picker = await discovery.picker("cart")
    await told.say(KeyError("Service"))
    assert picker.pick().id == "1"
    await told.say((instance(2),))
    assert picker.pick().id == "2"


async def test_a_mistake_in_a_registry_ends_no_heartbeat() -> None:
    """The instance lives on, and so must its registration."""

    class Mistaken(Told):
        def __init__(self) -> None:
            super().__init__()
            self.renewed, self.tries = asyncio.Event(), 0

        async def renew(self, registration: ServiceRegistration) -> None:
            self.tries += 1
            if self.tries < 3:
                raise KeyError("ID")
            self.renewed.set()

    registry = Mistaken()
    endpoint = Endpoint("http", "10.0.0.7", 80)
    cart = ServiceRegistration(
        name="cart", version="1", endpoints=(endpoint,), health_check=TtlCheck(ttl_seconds=0.003)
    )
    async with registered(registry, cart), asyncio.timeout(20):
        await registry.renewed.wait()


async def test_no_watcher_is_begun_for_what_is_no_name(discovery: Discovery, told: Told) -> None:
    with pytest.raises(NoHealthyServices, match="no name of a service"):
        await discovery.discover_service("../catalog/nodes")
    assert told.watched == []


async def test_leases_count_until_they_end(discovery: Discovery, told: Told) -> None:
    told.answers.put_nowait((instance(1), instance(2)))
    async with discovery.lease("cart") as first, discovery.lease("cart") as second:
        assert {first.id, second.id} == {"1", "2"}
        with pytest.raises(RuntimeError, match="broken"):
            async with discovery.lease("cart"):
                raise RuntimeError("broken")
        # The lease that failed is given back: the next two go to one each again.
        async with discovery.lease("cart") as third, discovery.lease("cart") as fourth:
            assert {third.id, fourth.id} == {"1", "2"}


async def test_closing_ends_every_watcher(told: Told) -> None:
    discovery = Discovery(told, TIMES)
    told.answers.put_nowait((instance(1),))
    await discovery.discover_service("cart")
    assert told.open == 1
    await discovery.close()
    assert told.open == 0
    with pytest.raises(NoHealthyServices, match="closed"):
        await discovery.discover_service("cart")
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("watch ")] == []


async def test_threads_may_pick_while_instances_change(discovery: Discovery, told: Told) -> None:
    told.answers.put_nowait((instance(0),))
    picker = await discovery.picker("cart")
    picked: list[str] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def pick() -> None:
        try:
            while not ended.is_set():
                picked.append(picker.pick().id)
        except BaseException as error:  # noqa: BLE001 - a test looks at it
            failed.append(error)

    threads = [threading.Thread(target=pick) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(200):
        await told.say(tuple(instance(one) for one in range(number % 5, 6)))
    ended.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert picked
    assert {picker.pick().id for _ in range(12)} == {"4", "5"}
