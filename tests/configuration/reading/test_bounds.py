"""What one process keeps of services, keys and waiters: as much as it was told, and the rest is gone whole."""

from __future__ import annotations

import asyncio

import pytest

from policies.configuration.values import ConfigurationKey
from tests.configuration.reading.conftest import BRIEF
from tests.support.configuration import key
from workflows.configuration.reading import Reading, Values
from workflows.configuration.reading.listening import Listener
from workflows.configuration.reading.memory import Memory
from workflows.configuration.reading.model import Scope
from workflows.configuration.reading.services import Services

FRONTEND = ("shop", "staging", "frontend")


def of(tenant: str) -> Scope:
    """The frontend's values for one tenant."""
    return (*FRONTEND, tenant)


def keys_of(tenant: str, *names: str) -> set[ConfigurationKey]:
    """Keys of one tenant."""
    return {key(name, tenant=tenant) for name in names}


def kept(services: Services, tenant: str, *names: str) -> set[ConfigurationKey]:
    """Keep values of a tenant; the keys that are gone for it."""
    return services.keep(of(tenant), Values({}, {}), keys_of(tenant, *names), 300, since=0)


def test_services_that_were_asked_for_longest_ago_make_room() -> None:
    """Asking is what counts, not keeping; the newest stays, however large."""
    services = Services(0.0, most_values=9)
    for tenant in ("a", "b", "c"):
        assert kept(services, tenant, "X", "Y") == set()
    assert services.fresh(of("a")) is not None

    assert kept(services, "d", "X", "Y") == keys_of("b", "X", "Y")

    assert [services.keys(of(one)) is not None for one in ("a", "b", "c", "d")] == [True, False, True, True]
    assert kept(services, "e", *(f"K{number}" for number in range(20))) == (
        keys_of("a", "X", "Y") | keys_of("c", "X", "Y") | keys_of("d", "X", "Y")
    )
    assert services.fresh(of("e")) is not None


def test_a_service_that_is_kept_again_counts_once() -> None:
    """And gives back the keys that it has no longer."""
    services = Services(0.0, most_values=6)
    kept(services, "a", "X")
    for _ in range(10):
        assert kept(services, "b", "X", "Y") == set()

    assert kept(services, "b", "Y", "Z") == keys_of("b", "X")
    assert services.fresh(of("a")) is not None


def test_services_without_values_are_bounded_too() -> None:
    """Names that somebody made up have none."""
    services = Services(0.0, most_values=3)
    for number in range(50):
        kept(services, f"tenant-{number}")

    assert len(services._known) == 3


def test_a_key_that_is_forgotten_leaves_nothing() -> None:
    """Others of the same name stay, and hear of changes."""
    memory = Memory(0.0)
    for tenant in ("a", "b"):
        memory.keep(key(tenant=tenant), Reading(value=1, version=1), 300)

    memory.forget([key(tenant="a"), key("NEVER", tenant="a")])
    assert memory.fresh(key(tenant="b")) is not None
    memory.doubt([key()])
    assert (memory.fresh(key(tenant="b")), set(memory.known)) == (None, {key(tenant="b")})

    memory.forget([key(tenant="b")])
    assert (memory.known, memory._by_common) == ({}, {})


@pytest.mark.parametrize("seconds", [0.0, 0.001])
async def test_nothing_is_kept_of_who_waits_no_longer(seconds: float) -> None:
    """Whether the time is over or the caller is gone; who waits still is not forgotten with it."""
    listener = Listener(None, (), BRIEF)
    stays = asyncio.create_task(listener.wait(FRONTEND, 300))
    leaves = asyncio.create_task(listener.wait(("shop", "staging", "checkout"), 300))
    await asyncio.sleep(0)
    for number in range(50):
        assert not await listener.wait(("shop", "staging", f"service-{number}"), seconds)
    assert not await listener.wait(FRONTEND, seconds)
    leaves.cancel()
    await asyncio.wait((leaves,))
    assert list(listener._waiting) == [FRONTEND]

    listener._wake([FRONTEND])

    assert await stays
    assert listener._waiting == {}
