"""A secret on its whole way, from `adx config encrypt` to a service: in clear where it is used, and nowhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest
import redis
from sqlalchemy import make_url

from policies.configuration.values import ConfigurationKey, ConfigurationValue
from tests.configuration.secrets.conftest import Environ
from tests.support.configuration import author, database_url, postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.configuration_command import Shop, make_shop
from workflows.clients.redis import Redis
from workflows.configuration.models import Write
from workflows.configuration.reading import ConfigurationReader
from workflows.configuration.reading.entries import Authenticator
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.repository import ConfigurationStore
from workflows.configuration.secrets import Opener

CANARY = "canary-6b1e-in-clear"
FORMS = {CANARY.encode(), base64.b64encode(CANARY.encode()), CANARY.encode().hex().encode()}
KEY = ConfigurationKey(namespace="shop-development", environment="development", service="frontend", key="RATES_TOKEN")


def assert_clean(place: str, data: bytes) -> None:
    """Neither in clear nor in the encodings that secrets travel in; and there was something to look at."""
    assert data, place
    assert [form for form in FORMS if form in data] == [], place


def git_objects(shop: Shop) -> bytes:
    """The contents of every object that git has, reachable or not."""
    ids = shop.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)").split("\n")
    blobs = [line.split()[0] for line in ids if line.endswith(("blob", "commit"))]
    return "".join(shop.git("cat-file", "-p", one) for one in blobs).encode()


def database(url: str) -> bytes:
    """Every row of every table."""
    parsed = make_url(url)
    tables = ("configuration_values", "configuration_versions")
    if parsed.drivername == "postgresql":
        with psycopg.connect(url) as connection:
            return repr([connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]).encode()
    connection = pymysql.connect(
        host=parsed.host, port=parsed.port or 0, user=parsed.username, password=parsed.password or "",
        database=parsed.database,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            rows.append(cursor.fetchall())
    return repr(rows).encode()


def all_of_redis(url: str) -> bytes:
    """Every entry."""
    client = redis.Redis.from_url(url)
    names = list(client.scan_iter())
    dump = b"".join(bytes(name) + bytes(client.get(name) or b"") for name in names)
    client.close()
    return dump


@pytest.fixture
def clean_redis(redis_url: str) -> Iterator[str]:
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield redis_url
    client.close()


async def test_a_secret_is_in_clear_only_where_it_is_used(
    environ: Environ,
    tmp_path: Path,
    database_url: str,  # noqa: F811 - the fixture
    clean_redis: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Git, the database, Redis, logs, what commands print, and what objects say of themselves are clean."""
    caplog.set_level(logging.DEBUG)
    shop = make_shop(tmp_path, **environ)
    said = await asyncio.to_thread(
        shop.adx, "encrypt", "development", "frontend", "RATES_TOKEN", "--set", typed=f"{CANARY}\n"
    )
    (shown,) = await asyncio.to_thread(shop.json, "get", "development", "frontend", "RATES_TOKEN")
    renewed = await asyncio.to_thread(shop.adx, "rewrap", "--json")
    shared = SharedCache(Redis(clean_redis, timeout_seconds=5), Authenticator(os.urandom(32)))

    async with ConfigurationStore(database_url) as store:
        await store.migrate()
        value = ConfigurationValue(is_secret=True, encrypted_value=shown["value"])
        (record,) = await store.write([Write(key=KEY, value=value)], author())
        await shared.announce({KEY: record})
        async with ConfigurationReader(store, opener=Opener.from_settings(environ), shared=shared) as reader:
            reading = await reader.get_configuration(KEY)
            health = reader.health()

        assert reading.value == CANARY
        assert_clean("database", database(database_url))
    assert_clean("git", git_objects(shop))
    assert_clean("redis", all_of_redis(clean_redis))
    assert_clean("logs", (caplog.text + "-").encode())
    assert_clean("commands", (said.output + renewed.output + json.dumps(shown)).encode())
    assert_clean("objects", f"{reading!r} {reading} {health!r} {record!r}".encode())


async def test_a_rewrap_changes_ciphertexts_in_place_and_nothing_else(
    environ: Environ, operator, tmp_path: Path
) -> None:
    """After a rotation, once; a second time there is nothing to do."""
    shop = make_shop(tmp_path, **environ)
    for tenant in ((), ("--tenant", "acme")):
        shop.adx("encrypt", "development", "frontend", "RATES_TOKEN", *tenant, "--set", typed=CANARY)
    before = shop.text("environments/development/configuration.yaml")
    operator.secrets.transit.rotate_key(name=environ["ADX_CONFIGURATION_VAULT_KEY"])

    first = shop.json("rewrap", "--branch", "rewrap")
    again = shop.json("rewrap")

    after = shop.git("show", "rewrap:environments/development/configuration.yaml")
    assert first["rewrapped"] == 2
    assert again["rewrapped"] == 2
    assert [line for line in after.splitlines() if line not in before.splitlines()] == [
        line for line in after.splitlines() if "vault:v2:" in line
    ]
    assert len(after.splitlines()) == len(before.splitlines())
    assert shop.json("rewrap") == {"rewrapped": 0, "made": None}


def test_a_secret_for_a_wrong_place_or_shape_is_not_sealed(environ: Environ, tmp_path: Path) -> None:
    """Nothing is written, and the secret is not repeated."""
    shop = make_shop(tmp_path, **environ)
    for arguments, code in ((("nowhere", "frontend", "T"), 6), (("development", "frontend", "bad-key"), 1)):
        assert CANARY not in shop.adx("encrypt", *arguments, "--set", typed=CANARY, fails=code).output
    assert "is empty" in shop.adx("encrypt", "development", "frontend", "T", typed="\n", fails=1).output
    assert shop.git("status", "--porcelain") == ""


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_outage_of_vault_stops_nobody_who_knows_the_secret(
    tmp_path: Path,
    postgres_url: str,  # noqa: F811 - the fixture
    is_known: bool,
) -> None:
    """A changed secret stays as it was, marked; one that nobody knows is an error that says that Vault is sealed."""
    from tests.support.configuration_vault import new_transit_key, own_vault
    from workflows.clients.vault.errors import VaultSealed
    from workflows.configuration.reading import Times
    from workflows.configuration.secrets import Sealer

    times = Times(retry=0.01, unheard=0.0, patience=5.0)
    with own_vault(tmp_path) as vault:
        environ = vault.environ(new_transit_key(vault.client))
        sealer = Sealer.from_settings(environ)
        old, new = (
            ConfigurationValue(is_secret=True, encrypted_value=sealer.seal(KEY, text)) for text in ("old", "new")
        )
        async with ConfigurationStore(postgres_url) as store:
            await store.migrate()
            await store.create(KEY, old, author())
            async with ConfigurationReader(store, opener=Opener.from_settings(environ), times=times) as reader:
                if is_known:
                    assert (await reader.get_configuration(KEY)).value == "old"
                await store.update(KEY, new, author(), expected=1)
                vault.seal()

                if is_known:
                    stale = await reader.get_configuration(KEY)
                    assert (stale.value, stale.is_stale) == ("old", True)
                    assert "sealed" in reader.health().away["vault"]
                else:
                    with pytest.raises(VaultSealed):
                        await reader.get_configuration(KEY)

                vault.unseal()
                found = await reader.get_configuration(KEY)
                while found.is_stale:
                    found = await reader.get_configuration(KEY)
                assert found.value == "new"
