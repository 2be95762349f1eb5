"""Configuration on real parts: a merge reaches the store, readers and services, and comes back when it hurts."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import psycopg
import pytest
import redis
from psycopg import sql

from infra.engine.state import decompress
from policies.configuration.values import ConfigurationKey
from tests.configuration.delivery.doubles import new_secret
from tests.configuration.delivery.listener import Listener, listening
from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from tests.delivery.test_secrets import everything_written
from tests.support.configuration_vault import new_transit_key
from tests.support.local_stack import LocalStack, VaultServer
from workflows.configuration.models import Criteria
from workflows.configuration.reading import ConfigurationReader, Reading
from workflows.configuration.repository import ConfigurationStore
from workflows.configuration.secrets import Sealer
from workflows.configuration.secrets.mounted import open_mounted
from workflows.ledger import audit
from workflows.snapshots import open_store

CANARY = "canary-7d3c-in-clear"
FORMS = (CANARY.encode(), base64.b64encode(CANARY.encode()), CANARY.encode().hex().encode())


@dataclass
class Platform:
    """A delivery whose workers have a store, a shared cache, a Vault and a service that wants to be told."""

    delivery: Delivery
    listener: Listener
    environ: dict[str, str] = field(repr=False)

    def key(self, name: str, tenant: str | None = None) -> ConfigurationKey:
        """A key of the frontend."""
        environment = self.delivery.environment
        return ConfigurationKey(
            namespace=f"shop-{environment}", environment=environment, service="frontend", key=name, tenant_id=tenant
        )

    @property
    def values(self) -> dict[str, Any]:
        """The frontend's values, to be changed in place."""
        document = self.delivery.shop.documents[f"environments/{self.delivery.environment}/configuration.yaml"]
        found: dict[str, Any] = document["values"]["frontend"]
        return found

    def seal(self, name: str, text: str, tenant: str | None = None) -> str:
        """A ciphertext as `adx config encrypt` makes it."""
        return Sealer.from_settings(self.environ).seal(self.key(name, tenant), text)

    async def kept(self) -> dict[str, tuple[object, int]]:
        """Value (or form) and version of everything in the store, by key and tenant."""
        async with ConfigurationStore(self.environ["ADX_CONFIGURATION_URL"]) as store:
            records = await store.find_by_criteria(Criteria(environment=self.delivery.environment, service="frontend"))
        return {
            f"{one.key.tenant_id or ''}/{one.key.key}": (one.value.encrypted_value or one.value.value, one.version)
            for one in records
        }

    def reader(self) -> ConfigurationReader:
        """As a service reads."""
        return ConfigurationReader.from_settings(self.environ)


@pytest.fixture
def configuration_url(local_stack: LocalStack) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    server, _, _ = local_stack.postgres_url.rpartition("/")
    yield f"{server}/{name}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def platform(
    delivery: Delivery, configuration_url: str, redis_url: str, vault_server: VaultServer, tmp_path: Path
) -> AsyncIterator[Platform]:
    operator = hvac.Client(url=vault_server.address, token=vault_server.token)
    secret = tmp_path / "webhook-secret"
    secret.write_text(new_secret())
    with listening() as listener:
        webhooks = tmp_path / "webhooks.json"
        entry = {"environment": "*", "service": "frontend", "url": listener.url, "secret_file": str(secret)}
        webhooks.write_text(json.dumps([entry | {"required": True}]))
        delivery.environ |= {
            **vault_server.environment,
            "ADX_CONFIGURATION_URL": configuration_url,
            "ADX_CONFIGURATION_VAULT_KEY": new_transit_key(operator),
            "ADX_CONFIGURATION_CACHE_KEY": base64.b64encode(os.urandom(32)).decode(),
            "ADX_REDIS_URL": redis_url,
            "ADX_CONFIGURATION_WEBHOOKS_FILE": str(webhooks),
        }
        # What Kubernetes needs to notice a failing probe is what the delivery waits for.
        for service in delivery.shop.services.values():
            for probe in service["probes"].values():
                probe |= {"period_seconds": 1, "failure_threshold": 1}
        yield Platform(delivery, listener, delivery.environ)


async def heard(reader: ConfigurationReader, key: ConfigurationKey, version: int) -> Reading:
    """What the reader has once it has heard of ``version``; the test's own timeout bounds this.

    A value may be the same as before: the version alone says that this is the news of it.
    """
    while (reading := await reader.get_configuration(key)).version < version:
        await asyncio.sleep(0.05)
    return reading


async def test_values_reach_readers_and_services_and_secrets_stay_closed(platform: Platform) -> None:
    """Delivered, heard, acknowledged; what hurts is brought back; a canary is found nowhere in clear."""
    delivery = platform.delivery
    delivery.start_worker()
    token = platform.seal("RATES_TOKEN", CANARY)
    platform.values.update(PAGE_SIZE=24, RATES_TOKEN=token)
    delivery.shop.merge("first")
    first = await delivery.deliver()

    assert first.outcome == "delivered", first.failure
    step = next(step for step in first.steps if step.name == "configuration")
    assert step.message.endswith("of checkout, frontend; 1 acknowledged"), step
    kept = await platform.kept()
    assert kept["/RATES_TOKEN"] == (token, 1)
    assert kept["/PAGE_SIZE"] == (24, 1)
    assert len(platform.listener.got) == 1
    entries = await audit.entries(delivery.ledger)
    (told,) = [entry for entry in entries if entry.action == "configuration.notified"]
    assert told.detail["acknowledged"] == ["frontend"]

    async with platform.reader() as reader:
        assert (await heard(reader, platform.key("PAGE_SIZE"), version=1)).value == 24
        assert (await reader.get_configuration(platform.key("RATES_TOKEN"))).value == CANARY

        platform.values["PAGE_SIZE"] = 48
        delivery.shop.merge("second")
        assert (await delivery.deliver()).outcome == "delivered"
        reading = await heard(reader, platform.key("PAGE_SIZE"), version=2)
        assert (reading.value, reading.version) == (48, 2)
        before = await platform.kept()
        live = await delivery.live()

        platform.listener.answers = [410, 204]
        platform.values["PAGE_SIZE"] = 9999
        platform.values["NEW_VALUE"] = "x"
        delivery.shop.merge("third")
        third = await delivery.deliver()

        assert (third.outcome, third.failed_step) == ("restored", "configuration"), third
        assert "frontend did not acknowledge its new configuration: answered 410" in third.failure
        after = await platform.kept()
        assert {name: value for name, (value, _) in after.items()} == {
            name: value for name, (value, _) in before.items()
        }
        assert after["/PAGE_SIZE"] == (48, 4)
        assert await delivery.live() == live
        reading = await heard(reader, platform.key("PAGE_SIZE"), version=4)
        assert (reading.value, reading.version) == (48, 4)
    assert json.loads(platform.listener.got[-1][1])["is_restore"] is True

    written = {name: decompress(data) for name, data in (await everything_written(delivery)).items()}
    written |= await _snapshots(delivery)
    written["redis"] = _everything_in_redis(platform.environ["ADX_REDIS_URL"])
    written["store"] = await _everything_in_the_store(platform.environ["ADX_CONFIGURATION_URL"])
    written["webhooks"] = repr(platform.listener.got).encode()
    written["preview"] = await _previewed(delivery)
    assert any(name.startswith("history") and "configuration" in name for name in written)
    for place in ("/pulumi/", "snapshot ", "store", "redis"):
        assert any(token.encode() in data for name, data in written.items() if place in name), place
    assert [(form, place) for form in FORMS for place, data in written.items() if form in data] == []


async def test_a_ciphertext_of_another_key_is_refused_before_anything_is_written(platform: Platform) -> None:
    """Vault says so, without showing any value; the cluster goes back with it."""
    delivery = platform.delivery
    delivery.start_worker()
    platform.values["RATES_TOKEN"] = platform.seal("OTHER_TOKEN", CANARY)
    delivery.shop.merge("pasted")

    status = await delivery.deliver()

    assert (status.outcome, status.failed_step) == ("restored", "configuration"), status
    assert "was made for another key, tenant or environment" in status.failure
    assert await platform.kept() == {}
    assert platform.listener.got == []


async def test_a_tenants_values_go_and_come_back_with_its_wave(platform: Platform) -> None:
    """The tenant that the cluster refuses keeps its old value, everybody else has the new one."""
    delivery = platform.delivery
    delivery.start_worker()
    numbers = range(3)

    def give(size: int, pods: int) -> None:
        declare(delivery, tenants=3, cells=1, failure_budget=1, pods=pods)
        for number in numbers:
            overrides = {"configuration": {"frontend": {"PAGE_SIZE": size}}}
            document = delivery.shop.documents[f"tenants/tenant-{number:03}.yaml"]
            document["overrides"] = {delivery.environment: overrides}

    give(10, 5)
    delivery.shop.merge("first")
    first = await delivery.deliver()
    assert first.outcome == "delivered", first.failure
    assert {name: value for name, (value, _) in (await platform.kept()).items() if name.startswith("tenant")} == {
        f"tenant-{number:03}/PAGE_SIZE": 10 for number in numbers
    }

    give(20, 7)
    delivery.shop.merge("second")
    async with delivery.refusing_pods(f"{delivery.environment}-tenant-tenant-001", pods=7):
        second = await delivery.deliver()

    assert second.outcome == "partly-delivered", second.failure
    kept = await platform.kept()
    assert [kept[f"tenant-{number:03}/PAGE_SIZE"] for number in numbers] == [(20, 2), (10, 1), (20, 2)]

    del delivery.shop.documents["tenants/tenant-000.yaml"]
    delivery.shop.merge("third")
    third = await delivery.deliver()
    assert third.outcome == "delivered", third.failure
    kept = await platform.kept()
    assert "tenant-000/PAGE_SIZE" not in kept
    assert kept["tenant-001/PAGE_SIZE"][0] == 20


async def test_a_workload_opens_what_is_mounted_with_its_own_login(platform: Platform, tmp_path: Path) -> None:
    """The file that the cluster hands to pods is all that is needed, beside Vault."""
    delivery = platform.delivery
    delivery.start_worker()
    platform.values["RATES_TOKEN"] = platform.seal("RATES_TOKEN", CANARY)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    objects = await delivery.cluster.live_objects(f"adx/environment={delivery.environment}")
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    file = tmp_path / "sealed.json"
    file.write_text(maps["frontend-sealed"]["sealed.json"])

    assert "RATES_TOKEN" not in maps["frontend-configuration"]
    assert await open_mounted({**platform.environ, "ADX_SEALED_FILE": str(file)}) == {"RATES_TOKEN": CANARY}


async def _snapshots(delivery: Delivery) -> dict[str, bytes]:
    """Every body in the snapshot store, decrypted."""
    store = open_store(delivery.environ)
    entries = await store.entries(delivery.environment)
    return {f"snapshot {one.digest}": await store.get(one.digest, owner=delivery.environment) for one in entries}


def _everything_in_redis(url: str) -> bytes:
    client = redis.Redis.from_url(url)
    dump = b"".join(bytes(name) + bytes(client.get(name) or b"") for name in client.scan_iter())
    client.close()
    return dump


async def _everything_in_the_store(url: str) -> bytes:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        tables = ("configuration_values", "configuration_versions")
        return repr(
            [await (await connection.execute(f"SELECT * FROM {table}")).fetchall() for table in tables]
        ).encode()


async def _previewed(delivery: Delivery) -> bytes:
    """What `adx preview` prints of the last change, in text and in JSON."""
    command = [sys.executable, "-m", "pipelines.cli", "preview", "--base", "HEAD~2", "--head", "HEAD", "--json"]
    repository = ["--repo", str(delivery.shop.work)]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, *repository],
        capture_output=True,
        env={**os.environ, **delivery.environ},
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout + done.stderr
