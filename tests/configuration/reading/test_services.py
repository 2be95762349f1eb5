"""All values of a service at once, on real servers: what is asked of the repository, and when."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import pytest

from tests.configuration.reading.conftest import BRIEF, Servers, hearing
from tests.configuration.reading.test_reader import PATIENCE_SECONDS, Counting
from tests.support.configuration import key, plain
from workflows.configuration.errors import StoreUnreachable
from workflows.configuration.models import Write
from workflows.configuration.reading import ConfigurationReader

FRONTEND = ("shop", "staging", "frontend")


async def of_frontend(reader: ConfigurationReader, tenant: str | None = None) -> tuple[dict[str, object], set[str]]:
    """All its values, and which of them are stale."""
    readings = (await reader.values_of(*FRONTEND, tenant)).readings
    values = {one.key: found.value for one, found in readings.items()}
    return values, {one.key for one, found in readings.items() if found.is_stale}


async def until_frontend_has(
    reader: ConfigurationReader, values: dict[str, object], stale: set[str] | None = None, *, tenant: str | None = None
) -> None:
    """Ask until its values are these."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while await of_frontend(reader, tenant) != (values, stale or set()):
            await anyio.sleep(0.01)


async def test_all_values_of_a_service_are_asked_for_again_only_after_a_change_of_it(servers: Servers) -> None:
    """Whoever asks meanwhile, and however many at once; a key that nobody knew is a change, too."""
    await servers.write(Write(key=key("A"), value=plain(1)), Write(key=key("B", tenant="acme"), value=plain(2)))
    rows = Counting(servers.direct)
    async with ConfigurationReader(rows, shared=servers.shared(), times=BRIEF) as reader:
        await hearing(reader)
        found = await asyncio.gather(*(of_frontend(reader) for _ in range(20)))
        assert found == [({"A": 1}, set())] * 20
        assert await of_frontend(reader) == ({"A": 1}, set())
        assert await of_frontend(reader, "acme") == ({"A": 1, "B": 2}, set())
        assert rows.scopes == [None, "acme"]

        other = asyncio.create_task(reader.wait_for_change("shop", "staging", "checkout", PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await servers.write(Write(key=key("C", service="checkout"), value=plain(3)))
        assert await other
        assert await of_frontend(reader) == ({"A": 1}, set())
        assert rows.scopes == [None, "acme"]

        await servers.write(Write(key=key("NEW"), value=plain(4)))
        await until_frontend_has(reader, {"A": 1, "NEW": 4})
        await until_frontend_has(reader, {"A": 1, "B": 2, "NEW": 4}, tenant="acme")
        assert rows.scopes == [None, "acme", None, "acme"]


async def test_a_look_that_began_before_a_change_answers_nobody_who_came_after_it(servers: Servers) -> None:
    """Nor is what it found believed."""
    await servers.write(Write(key=key("A"), value=plain("old")), announce=False)
    rows = Counting(servers.direct)
    async with ConfigurationReader(rows, shared=servers.shared(), times=BRIEF) as reader:
        await hearing(reader)
        rows.gate = asyncio.Event()
        slow = asyncio.create_task(of_frontend(reader))
        with anyio.fail_after(PATIENCE_SECONDS):
            while not rows.scopes:
                await anyio.sleep(0.01)
        woken = asyncio.create_task(reader.wait_for_change(*FRONTEND, PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await servers.write(Write(key=key("A"), value=plain("new")))
        assert await woken
        later = asyncio.create_task(of_frontend(reader))
        await asyncio.sleep(0)
        rows.gate.set()

        assert await slow == ({"A": "old"}, set())
        assert await later == ({"A": "new"}, set())
        assert await of_frontend(reader) == ({"A": "new"}, set())


async def test_who_does_not_hear_of_changes_asks_again_for_all_values(servers: Servers) -> None:
    """Nothing tells it that there is a new one."""
    await servers.write(Write(key=key("A"), value=plain(1)), announce=False)
    async with ConfigurationReader(servers.direct, times=BRIEF) as reader:
        assert await of_frontend(reader) == ({"A": 1}, set())
        await servers.write(Write(key=key("A"), value=plain(2)), announce=False)
        assert await of_frontend(reader) == ({"A": 2}, set())


async def test_all_values_of_a_service_go_on_marked_while_the_repository_is_away_or_hangs(servers: Servers) -> None:
    """Once they are in doubt: after a change that was heard, or with Redis away."""
    await servers.write(Write(key=key("A"), value=plain(1)))
    rows, store = Counting(servers.direct), servers.store()
    rows.rows = store
    times = msgspec.structs.replace(BRIEF, patience=1.0)  # which is waited for when the repository hangs
    async with ConfigurationReader(rows, shared=servers.shared(), times=times) as reader:
        await hearing(reader)
        assert await of_frontend(reader) == ({"A": 1}, set())
        servers.store_link.cut()
        assert await of_frontend(reader) == ({"A": 1}, set())
        await servers.write(Write(key=key("A"), value=plain(2)))
        await until_frontend_has(reader, {"A": 1}, {"A"})
        with pytest.raises(StoreUnreachable):
            await reader.values_of("shop", "staging", "checkout")

        servers.store_link.mend()
        await until_frontend_has(reader, {"A": 2})
        rows.gate = asyncio.Event()
        await servers.write(Write(key=key("A"), value=plain(3)))
        await until_frontend_has(reader, {"A": 2}, {"A"})
        rows.gate.set()
        await until_frontend_has(reader, {"A": 3})
    await store.close()
