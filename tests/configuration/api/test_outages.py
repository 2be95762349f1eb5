"""What the API says of secrets while a real Vault is sealed: nothing is left out without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pipelines.configuration_api.app import application
from pipelines.configuration_api.grants import Grant, Grants
from policies.configuration.values import ConfigurationKey
from tests.configuration.api.test_api import CANARY, GRANTS, URL, by
from tests.configuration.reading.conftest import BRIEF, Servers, hearing
from tests.support.configuration import key, plain, sealed
from tests.support.configuration_vault import OwnVault, new_transit_key, own_vault
from workflows.configuration.models import Write
from workflows.configuration.reading import ConfigurationReader
from workflows.configuration.secrets import Opener, Sealer


@dataclass
class Shop:
    """The API on real servers, with secrets of its own."""

    servers: Servers
    vault: OwnVault
    sealer: Sealer
    api: httpx.AsyncClient

    async def give(self, where: ConfigurationKey, text: str) -> None:
        """Deliver a secret."""
        await self.servers.write(Write(key=where, value=sealed(self.sealer.seal(where, text))))

    async def asked(self, *, secrets: bool = True) -> dict[str, Any]:
        """The answer to somebody who may read everything."""
        params = {"secrets": "true"} if secrets else {}
        answer = await self.api.get(URL, params=params, headers=by("reads-all"))
        assert answer.status_code == 200, answer.text
        return {**answer.json(), "tag": answer.headers["etag"]}

    async def until_stale(self, *names: str) -> dict[str, Any]:
        """The answer once these are marked, and no others."""
        with anyio.fail_after(60):
            while (answer := await self.asked())["stale"] != list(names):
                await anyio.sleep(0.01)
        return answer


@pytest.fixture
async def shop(servers: Servers, tmp_path: Path) -> AsyncIterator[Shop]:
    with own_vault(tmp_path) as vault:
        environ = vault.environ(new_transit_key(vault.client))
        store, grants = servers.store(), Grants(tuple(Grant(**one) for one in GRANTS))
        opener = Opener.from_settings(environ)
        async with ConfigurationReader(store, opener=opener, shared=servers.shared(), times=BRIEF) as reader:
            await hearing(reader)
            transport = httpx.ASGITransport(application(reader, grants))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                yield Shop(servers, vault, Sealer.from_settings(environ), client)
        await store.close()


async def test_a_changed_secret_is_as_it_was_and_a_new_one_is_named(shop: Shop) -> None:
    """Marked, and with the reason; whoever asks for no secret misses none."""
    await shop.servers.write(Write(key=key("A"), value=plain(1)))
    await shop.give(key("TOKEN"), "old")
    assert (await shop.asked())["values"] == {"A": 1, "TOKEN": "old"}
    await shop.give(key("TOKEN"), CANARY)
    await shop.give(key("NEW_TOKEN"), CANARY)
    shop.vault.seal()

    secretly = await shop.until_stale("TOKEN")
    plainly = await shop.asked(secrets=False)

    assert secretly["values"] == {"A": 1, "TOKEN": "old"}
    assert set(secretly["unavailable"]) == {"NEW_TOKEN"}
    assert "sealed" in secretly["unavailable"]["NEW_TOKEN"]
    assert plainly["secrets_left_out"] == ["NEW_TOKEN", "TOKEN"]
    assert (plainly["values"], plainly["stale"], plainly["unavailable"]) == ({"A": 1}, [], {})

    shop.servers.store_link.cut()
    without_store = await shop.until_stale("A", "TOKEN")
    assert without_store["values"] == {"A": 1, "TOKEN": "old"}
    assert set(without_store["unavailable"]) == {"NEW_TOKEN"}

    shop.servers.store_link.mend()
    shop.vault.unseal()
    with anyio.fail_after(60):
        while (whole := await shop.asked())["stale"] or whole["unavailable"]:
            await anyio.sleep(0.05)
    assert whole["values"] == {"A": 1, "TOKEN": CANARY, "NEW_TOKEN": CANARY}
    assert len({one["tag"] for one in (secretly, without_store, whole)}) == 3


async def test_a_secret_that_vault_refuses_is_named_beside_the_others(shop: Shop) -> None:
    """Made for another key: it is nobody's, and nothing else suffers."""
    await shop.give(key("TOKEN"), CANARY)
    await shop.servers.write(Write(key=key("PASTED"), value=sealed(shop.sealer.seal(key("OTHER"), CANARY))))

    found = await shop.asked()

    assert found["values"] == {"TOKEN": CANARY}
    assert "was made for another key" in found["unavailable"]["PASTED"]
