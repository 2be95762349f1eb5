"""Readers on real servers: what is asked of whom, who wins, what a change does, and what is served in outages."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import msgspec
import pytest

from policies.configuration.values import ConfigurationKey
from tests.configuration.reading.conftest import BRIEF, Servers, hearing
from tests.support.configuration import CIPHERTEXT, key, plain, sealed
from workflows.clients.redis import CacheAway
from workflows.configuration.errors import StoreUnreachable
from workflows.configuration.models import Criteria, Record, Write
from workflows.configuration.reading import ConfigurationReader, Reading
from workflows.configuration.reading.entries import Authenticator, Entry, encode, name_of
from workflows.configuration.reading.model import MISSING
from workflows.configuration.secrets.opening import Opened

PATIENCE_SECONDS = 30


class Counting:
    """A repository that counts what it is asked."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.asked: list[list[str]] = []
        self.scopes: list[str | None] = []
        self.gate: asyncio.Event | None = None

    async def find_many(self, ids: Iterable[str]) -> dict[str, Record]:
        wanted = list(ids)
        self.asked.append(wanted)
        found: dict[str, Record] = await self.rows.find_many(wanted)
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def find_by_criteria(self, criteria: Criteria) -> list[Record]:
        self.scopes.append(criteria.tenant_id)
        found: list[Record] = await self.rows.find_by_criteria(criteria)
        if self.gate is not None:
            await self.gate.wait()
        return found


async def until(
    reader: ConfigurationReader, where: ConfigurationKey, value: object, *, is_stale: bool = False
) -> Reading:
    """Read until the value is the wanted one."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            reading = await reader.get_configuration(where)
            if (reading.value, reading.is_stale) == (value, is_stale):
                return reading
            await anyio.sleep(0.01)


async def test_the_tenants_own_value_comes_before_the_environments(
    servers: Servers, reader: ConfigurationReader
) -> None:
    """And where there is neither, that is an answer, too."""
    await servers.write(
        Write(key=key("A"), value=plain(1)),
        Write(key=key("A", tenant="acme"), value=plain(2)),
        Write(key=key("B"), value=plain(3)),
    )
    wanted = [key("A"), key("A", tenant="acme"), key("A", tenant="globex"), key("B", tenant="acme"), key("C")]

    found = await reader.get_many(wanted)

    assert [found[one].value for one in wanted] == [1, 2, 1, 3, None]
    assert [found[one].layer for one in wanted] == ["environment", "tenant", "environment", "environment", None]
    assert found[key("C")] == MISSING
    assert found[key("C")].or_default("x") == "x"
    for one in wanted:
        assert await reader.get_configuration(one) == found[one]
        assert reader.peek(one) == found[one]


async def test_the_repository_is_asked_once_for_many_callers(servers: Servers) -> None:
    """A hundred requests that start together are one look-up."""
    await servers.write(Write(key=key(), value=plain(1)), announce=False)
    rows = Counting(servers.direct)
    async with ConfigurationReader(rows, times=BRIEF) as reader:
        found = await asyncio.gather(*(reader.get_configuration(key()) for _ in range(100)))

    assert {one.value for one in found} == {1}
    assert rows.asked == [[key().id]]


async def test_another_process_finds_the_value_in_redis(servers: Servers) -> None:
    """Also that there is none: nobody asks the repository again."""
    await servers.write(Write(key=key("A"), value=plain(1)), announce=False)
    first, second = Counting(servers.direct), Counting(servers.direct)
    wanted = [key("A"), key("B", tenant="acme")]
    async with ConfigurationReader(first, shared=servers.shared(), times=BRIEF) as reader:
        before = await reader.get_many(wanted)
        with anyio.fail_after(PATIENCE_SECONDS):
            while servers.raw(key("B")) is None:
                await anyio.sleep(0.01)

    async with ConfigurationReader(second, shared=servers.shared(), times=BRIEF) as reader:
        assert await reader.get_many(wanted) == before

    assert len(first.asked) == 1
    assert second.asked == []
    assert 250_000 < servers.plain_redis.pttl(name_of(key("A"))) <= 300_000
    assert 0 < servers.plain_redis.pttl(name_of(key("B"))) <= 30_000


async def test_a_change_reaches_readers_that_have_the_value(servers: Servers, reader: ConfigurationReader) -> None:
    """Without waiting for anything to expire; a change for all is one for each tenant, too."""
    await servers.write(Write(key=key(), value=plain(1)))
    assert (await reader.get_configuration(key())).value == 1
    assert (await reader.get_configuration(key(tenant="acme"))).value == 1

    await servers.write(Write(key=key(), value=plain(2)))
    await until(reader, key(), 2)
    await until(reader, key(tenant="acme"), 2)
    await servers.write(Write(key=key(tenant="acme"), value=plain(3)))
    await until(reader, key(tenant="acme"), 3)
    await servers.write(Write(key=key(tenant="acme"), value=None))
    await until(reader, key(tenant="acme"), 2)
    await servers.write(Write(key=key(), value=None))
    assert not (await until(reader, key(), None)).is_found


async def test_whoever_waits_is_woken_by_a_change_of_its_service(servers: Servers, reader: ConfigurationReader) -> None:
    """And by no other."""
    mine = asyncio.create_task(reader.wait_for_change("shop", "staging", "frontend", PATIENCE_SECONDS))
    other = asyncio.create_task(reader.wait_for_change("shop", "staging", "checkout", PATIENCE_SECONDS))
    await asyncio.sleep(0)

    await servers.write(Write(key=key(), value=plain(1)))

    assert await mine
    assert not other.done()
    other.cancel()
    assert not await reader.wait_for_change("shop", "staging", "checkout", 0.01)


async def test_whoever_waits_looks_again_when_news_may_be_lost(servers: Servers, reader: ConfigurationReader) -> None:
    """When Redis is lost, and when it is heard again: what was said in between nobody repeats."""
    first = asyncio.create_task(reader.wait_for_change("shop", "staging", "frontend", PATIENCE_SECONDS))
    await asyncio.sleep(0)
    servers.redis_link.cut()
    assert await first
    assert not reader.health().is_hearing

    second = asyncio.create_task(reader.wait_for_change("shop", "staging", "frontend", PATIENCE_SECONDS))
    await asyncio.sleep(0)
    servers.redis_link.mend()
    assert await second
    assert reader.health().is_hearing


class Opening:
    """Stands for Vault: a secret is what it was made from. What a real one does is tested elsewhere."""

    class session:  # noqa: N801 - as the opener has it
        @staticmethod
        def keep_alive() -> None:
            """Nothing expires."""

    async def open(self, secrets: Mapping[ConfigurationKey, str]) -> dict[ConfigurationKey, Opened]:
        return dict(secrets)


async def test_a_secret_that_is_rotated_between_redis_and_vault_is_not_believed(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Redis said before the change was heard counts as old, though Vault is asked after it."""
    old, new = CIPHERTEXT, CIPHERTEXT.replace("A", "B")
    await servers.write(Write(key=key("TOKEN"), value=sealed(old)))
    opener: Any = Opening()
    async with ConfigurationReader(servers.direct, opener=opener, shared=servers.shared(), times=BRIEF) as reader:
        await hearing(reader)
        entries, asked, gate = reader._loader.shared_entries, asyncio.Event(), asyncio.Event()

        async def slow(layers: list[ConfigurationKey]) -> dict[ConfigurationKey, Entry]:
            found = await entries(layers)
            asked.set()
            await gate.wait()
            return found

        monkeypatch.setattr(reader._loader, "shared_entries", slow)
        early = asyncio.create_task(reader.get_configuration(key("TOKEN")))
        await asked.wait()
        woken = asyncio.create_task(reader.wait_for_change("shop", "staging", "frontend", PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await servers.write(Write(key=key("TOKEN"), value=sealed(new)))
        assert await woken
        gate.set()

        assert (await early).value == old
        assert (await reader.get_configuration(key("TOKEN"))).value == new


async def test_a_slow_reader_does_not_put_an_old_value_over_a_new_one(servers: Servers) -> None:
    """It read before the change and comes back after it: neither Redis nor its own memory may believe it."""
    await servers.write(Write(key=key(), value=plain("old")), announce=False)
    rows = Counting(servers.direct)
    rows.gate = asyncio.Event()
    async with ConfigurationReader(rows, shared=servers.shared(), times=BRIEF) as reader:
        await hearing(reader)
        slow = asyncio.create_task(reader.get_configuration(key()))
        with anyio.fail_after(PATIENCE_SECONDS):
            while not rows.asked:
                await anyio.sleep(0.01)
        woken = asyncio.create_task(reader.wait_for_change("shop", "staging", "frontend", PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await servers.write(Write(key=key(), value=plain("new")))
        assert await woken
        rows.gate.set()

        await slow
        assert (await reader.get_configuration(key())).value == "new"
    async with ConfigurationReader(servers.direct, shared=servers.shared(), times=BRIEF) as another:
        assert (await another.get_configuration(key())).value == "new"


def forged(servers: Servers, how: str) -> bytes:
    """An entry that somebody without the key has put together."""
    own, name = Authenticator(servers.cache_key), name_of(key())
    genuine = encode(own, name, Entry(2e9, 7, value="forged"))
    return {
        "noise": b"\x00" * 40,
        "empty": b"",
        "another key's": encode(own, name_of(key("OTHER")), Entry(2e9, 7, value="forged")),
        "another secret": encode(Authenticator(b"x" * 32), name, Entry(2e9, 7, value="forged")),
        "one bit": genuine[:-1] + bytes([genuine[-1] ^ 1]),
        "cut": genuine[:-3],
        "old": encode(own, name, Entry(1.0, 7, value="forged")),
        "no entry": own.sign(name, msgspec.msgpack.encode({"value": "forged"})),
    }[how]


@pytest.mark.parametrize(
    "how", ["noise", "empty", "another key's", "another secret", "one bit", "cut", "old", "no entry"]
)
async def test_an_entry_that_adx_has_not_written_is_not_used(
    servers: Servers, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported, the repository is asked, and a genuine one takes its place."""
    await servers.write(Write(key=key(), value=plain("true")), announce=False)
    entry = forged(servers, how)
    servers.plain_redis.set(name_of(key()), entry)
    async with ConfigurationReader(servers.direct, shared=servers.shared(), times=BRIEF) as reader:
        assert (await reader.get_configuration(key())).value == "true"
        is_reported = how != "old"
        assert reader.health().forged_entries == is_reported
        assert ("staging/frontend/PAGE_SIZE" in caplog.text) == is_reported
        assert "forged" not in caplog.text.replace("forged or damaged", "")
        with anyio.fail_after(PATIENCE_SECONDS):
            # It is replaced in the background, or by who reads next where Redis was too slow for that.
            while is_reported and servers.plain_redis.get(name_of(key())) == entry:
                await anyio.sleep(0.01)
                await reader.get_configuration(key())

    rows = Counting(servers.direct)
    async with ConfigurationReader(rows, shared=servers.shared(), times=BRIEF) as another:
        assert (await another.get_configuration(key())).value == "true"
    assert (rows.asked == []) == is_reported


async def test_a_forged_message_is_reported_and_changes_nothing(servers: Servers, reader: ConfigurationReader) -> None:
    """Whoever can publish could otherwise make every process ask at once."""
    await servers.write(Write(key=key(), value=plain(1)), announce=False)
    await until(reader, key(), 1)
    servers.plain_redis.publish("adx:configuration:1:changed", b"\x00" * 64)

    with anyio.fail_after(PATIENCE_SECONDS):
        while reader.health().forged_entries == 0:
            await anyio.sleep(0.01)
    assert reader.peek(key()) is not None


async def test_without_redis_the_repository_answers(servers: Servers, reader: ConfigurationReader) -> None:
    """Values are as new as ever, changes included; when Redis is back, it is used again."""
    await servers.write(Write(key=key(), value=plain(1)))
    await until(reader, key(), 1)
    servers.redis_link.cut()
    with anyio.fail_after(PATIENCE_SECONDS):
        while reader.health().is_hearing:
            await anyio.sleep(0.01)

    assert (await reader.get_configuration(key("NEW"))) == MISSING
    await servers.write(Write(key=key(), value=plain(2)))
    await until(reader, key(), 2)
    assert "redis" in reader.health().away

    servers.redis_link.mend()
    await hearing(reader)
    await until(reader, key(), 2)
    await nothing_away(reader)


async def test_who_hears_of_changes_does_not_call_redis_away(servers: Servers) -> None:
    """Though it was passed over a moment ago: what is read from here on is believed for minutes."""
    await servers.write(Write(key=key(), value=plain(1)))
    rows = Counting(servers.direct)
    shared = servers.shared(msgspec.structs.replace(BRIEF, retry=3600.0))
    shared._failed(CacheAway("away"))
    async with ConfigurationReader(rows, shared=shared, times=BRIEF) as reader:
        assert reader.health().away == {"redis": "away"}
        await hearing(reader)

        assert reader.health().away == {}
        assert (await reader.get_configuration(key())).value == 1
    assert rows.asked == []


async def test_redis_is_asked_how_it_is_while_nobody_reads(servers: Servers, reader: ConfigurationReader) -> None:
    """A look-up that fails after Redis is back leaves nothing behind."""
    assert reader._shared is not None
    reader._shared._failed(CacheAway("away"))

    await nothing_away(reader)
    assert reader.health().is_hearing


async def test_redis_is_called_away_once_with_the_reason(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    """Look-ups that pass it over say nothing of their own."""
    shared = servers.shared(msgspec.structs.replace(BRIEF, retry=3600.0))
    servers.redis_link.cut()
    reader = ConfigurationReader(servers.direct, shared=shared, times=BRIEF)
    await reader.get_many([key("A"), key("B")])
    await reader.get_many([key("C"), key("D")])
    await reader.close()

    assert reader.health().away == {"redis": "Redis cannot be used (ConnectionError)"}
    assert caplog.text.count("redis is away") == 1


async def test_news_that_a_lost_connection_may_have_missed_are_looked_up(
    servers: Servers, reader: ConfigurationReader
) -> None:
    """The connection is made anew; what was sent meanwhile is not sent again."""
    await servers.write(Write(key=key(), value=plain(1)), announce=False)
    await until(reader, key(), 1)
    with anyio.fail_after(PATIENCE_SECONDS):
        while servers.raw(key()) is None:  # filled in the background: after the flush it would be the old value
            await anyio.sleep(0.01)
    await servers.write(Write(key=key(), value=plain(2)), announce=False)
    servers.plain_redis.flushdb()

    servers.plain_redis.client_kill_filter(_type="pubsub")

    await until(reader, key(), 2)
    await hearing(reader)


async def nothing_away(reader: ConfigurationReader) -> None:
    """Wait until all servers answered last."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while reader.health().away:
            await anyio.sleep(0.01)


async def test_without_the_repository_known_values_go_on_marked_as_stale(
    servers: Servers, reader: ConfigurationReader
) -> None:
    """A value that nobody knows is an error that says why; back is back."""
    await servers.write(Write(key=key(), value=plain(1)), announce=False)
    await until(reader, key(), 1)
    servers.store_link.cut()
    servers.redis_link.cut()
    await until(reader, key(), 1, is_stale=True)

    with pytest.raises(StoreUnreachable):
        await reader.get_configuration(key("OTHER"))
    assert set(reader.health().away) == {"redis", "repository"}
    assert reader.health().stale_served > 0

    servers.store_link.mend()
    await servers.write(Write(key=key(), value=plain(2)), announce=False)
    await until(reader, key(), 2)
    assert (await reader.get_configuration(key("OTHER"))) == MISSING


async def test_without_the_repository_a_new_process_reads_what_redis_has(servers: Servers) -> None:
    """Values are not stale: Redis believes them for five minutes anyway."""
    await servers.write(Write(key=key(), value=plain(1)))
    servers.store_link.cut()
    store = servers.store()

    async with ConfigurationReader(store, shared=servers.shared(), times=BRIEF) as reader:
        reading = await reader.get_configuration(key())
    await store.close()

    assert (reading.value, reading.is_stale) == (1, False)


async def test_a_backend_that_hangs_costs_a_caller_its_patience_and_no_more(servers: Servers) -> None:
    """While an older value is at hand, nobody waits for the time-out of a connection."""
    await servers.write(Write(key=key(), value=plain(1)), announce=False)
    rows = Counting(servers.direct)
    async with ConfigurationReader(rows, times=msgspec.structs.replace(BRIEF, patience=0.01)) as reader:
        await until(reader, key(), 1)
        rows.gate = asyncio.Event()

        assert await until(reader, key(), 1, is_stale=True)

        rows.gate.set()
        rows.gate = None
        await until(reader, key(), 1)


async def test_everything_of_a_service_is_read_with_one_query(servers: Servers) -> None:
    """For one tenant: its own values, and what is everybody's."""
    await servers.write(
        Write(key=key("A"), value=plain(1)),
        Write(key=key("A", tenant="acme"), value=plain(2)),
        Write(key=key("B", tenant="acme"), value=plain(3)),
        Write(key=key("B", tenant="globex"), value=plain(4)),
        Write(key=key("C", service="checkout"), value=plain(5)),
        announce=False,
    )
    async with ConfigurationReader(servers.direct, times=BRIEF) as reader:
        of_acme = await reader.warm("shop", "staging", service="frontend", tenant_id="acme")
        of_all = await reader.warm("shop", "staging")

    assert {(one.key, one.tenant_id): found.value for one, found in of_acme.items()} == {
        ("A", "acme"): 2,
        ("B", "acme"): 3,
    }
    assert {one.key: found.value for one, found in of_all.items()} == {"A": 1, "C": 5}


async def test_a_secret_that_cannot_be_opened_is_named_and_not_nothing(
    servers: Servers, reader: ConfigurationReader
) -> None:
    """Also where the reader knew that there was none; the other values come with it."""
    assert await reader.get_configuration(key("TOKEN")) == MISSING
    await servers.write(Write(key=key("TOKEN"), value=sealed()), Write(key=key("A"), value=plain(1)), announce=False)

    found = await reader.values_of("shop", "staging", "frontend")

    assert {one.key: reading.value for one, reading in found.readings.items()} == {"A": 1}
    assert found.unavailable == {key("TOKEN"): "this reader has no Vault to open secrets with"}


def test_a_service_loads_neither_temporal_nor_pulumi() -> None:
    """Nor Alembic, nor the command line: what is not loaded costs no memory and cannot fail."""
    code = "import sys, workflows.configuration.reading; print(*sorted({m.partition('.')[0] for m in sys.modules}))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"temporalio", "pulumi", "alembic", "typer", "rich", "git", "boto3"} & set(loaded)
