"""The HTTP API on real servers: who may read what, ETags, long polls, outages."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pipelines.configuration_api.app import application
from pipelines.configuration_api.grants import Grants, GrantsRefused
from policies.configuration.values import ConfigurationKey
from tests.configuration.reading.conftest import BRIEF, Servers, hearing
from tests.support.configuration import key, plain, sealed
from workflows.configuration.models import Write
from workflows.configuration.reading import ConfigurationReader
from workflows.configuration.secrets.opening import Opened

CANARY = "canary-31f0"
URL = "/v1/configuration/shop/staging/frontend"


def grant(name: str, **what: Any) -> dict[str, Any]:
    """A grant whose token is its name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "token_sha256": digest, "environments": ["staging"], "services": ["frontend"], **what}


GRANTS = [
    grant("reads-values"),
    grant("reads-secrets", secrets=True),
    grant("reads-acme", tenants=["acme"]),
    grant("reads-other", services=["checkout"]),
    grant("reads-all", environments=["*"], services=["*"], tenants=["*"], secrets=True),
]


class Open:
    """Stands for Vault: what it opens is tested with a real one elsewhere."""

    class session:  # noqa: N801 - as the opener has it
        @staticmethod
        def keep_alive() -> None:
            """Nothing expires."""

    async def open(self, secrets: Mapping[ConfigurationKey, str]) -> dict[ConfigurationKey, Opened]:
        return dict.fromkeys(secrets, CANARY)


@pytest.fixture
async def api(servers: Servers, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    await servers.write(
        Write(key=key("A"), value=plain(1)),
        Write(key=key("A", tenant="acme"), value=plain(2)),
        Write(key=key("TOKEN"), value=sealed()),
    )
    file = tmp_path / "grants.json"
    file.write_text(json.dumps(GRANTS))
    grants = Grants.from_settings({"ADX_CONFIGURATION_GRANTS_FILE": str(file)})
    store = servers.store()
    async with ConfigurationReader(store, opener=Open(), shared=servers.shared(), times=BRIEF) as reader:  # type: ignore[arg-type] # stands for it
        await hearing(reader)
        transport = httpx.ASGITransport(application(reader, grants))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client
    await store.close()


def by(token: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **headers}


async def test_values_come_without_secrets_unless_they_are_asked_for(api: httpx.AsyncClient) -> None:
    """By somebody who may."""
    plainly = await api.get(URL, headers=by("reads-secrets"))
    secretly = await api.get(URL, params={"secrets": "true"}, headers=by("reads-secrets"))

    assert plainly.json() == {
        "values": {"A": 1}, "versions": {"A": 1}, "stale": [], "secrets_left_out": ["TOKEN"], "unavailable": {},
    }  # fmt: skip
    assert secretly.json()["values"] == {"A": 1, "TOKEN": CANARY}
    assert secretly.headers["cache-control"] == "no-store"
    assert plainly.headers["etag"] != secretly.headers["etag"]


@pytest.mark.parametrize(
    ("headers", "params", "status"),
    [
        ({}, {}, 401),
        (by("nobody"), {}, 401),
        ({"Authorization": "Basic reads-values"}, {}, 401),
        (by(hashlib.sha256(b"reads-values").hexdigest()), {}, 401),
        (by("reads-other"), {}, 403),
        (by("reads-values"), {"secrets": "true"}, 403),
        (by("reads-values"), {"tenant": "acme"}, 403),
        (by("reads-acme"), {"tenant": "globex"}, 403),
        (by("reads-acme"), {"tenant": "acme"}, 200),
        (by("reads-values"), {"wait": "-1"}, 400),
        (by("reads-values"), {"wait": "nan"}, 400),
    ],
)
async def test_a_token_reads_what_it_was_given_and_nothing_else(
    api: httpx.AsyncClient, headers: dict[str, str], params: dict[str, str], status: int
) -> None:
    """Another service's, another tenant's, secrets: each is refused, and so is the digest instead of the token."""
    answer = await api.get(URL, params=params, headers=headers)

    assert answer.status_code == status
    assert CANARY not in answer.text
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_tenant_gets_its_own_values(api: httpx.AsyncClient) -> None:
    """Beside what is everybody's."""
    answer = await api.get(URL, params={"tenant": "acme", "secrets": "true"}, headers=by("reads-all"))

    assert answer.json()["values"] == {"A": 2, "TOKEN": CANARY}


async def test_what_is_known_is_not_sent_again(servers: Servers, api: httpx.AsyncClient) -> None:
    """Until it changes."""
    first = await api.get(URL, headers=by("reads-values"))
    again = await api.get(URL, headers=by("reads-values", **{"If-None-Match": first.headers["etag"]}))
    await servers.write(Write(key=key("A"), value=plain(5)))
    known = by("reads-values", **{"If-None-Match": first.headers["etag"]})
    changed = await api.get(URL, params={"wait": "50"}, headers=known)

    assert (again.status_code, again.content) == (304, b"")
    assert (changed.status_code, changed.json()["values"]) == (200, {"A": 5})


async def test_a_long_poll_answers_when_something_changes(servers: Servers, api: httpx.AsyncClient) -> None:
    """Two that wait for the same are both told; one that has seen something else need not wait."""
    tag = (await api.get(URL, headers=by("reads-values"))).headers["etag"]
    headers = by("reads-values", **{"If-None-Match": tag})
    with anyio.fail_after(60):
        waiting = [asyncio.create_task(api.get(URL, params={"wait": "50"}, headers=headers)) for _ in range(2)]
        await anyio.wait_all_tasks_blocked()
        assert not any(one.done() for one in waiting)

        await servers.write(Write(key=key("A"), value=plain(7)))

        answers = await asyncio.gather(*waiting)
        assert [one.json()["values"] for one in answers] == [{"A": 7}, {"A": 7}]
        assert (await api.get(URL, params={"wait": "50"}, headers=headers)).status_code == 200


async def test_a_long_poll_without_a_change_ends_in_time(api: httpx.AsyncClient) -> None:
    """And says that nothing changed."""
    tag = (await api.get(URL, headers=by("reads-values"))).headers["etag"]

    answer = await api.get(URL, params={"wait": "1"}, headers=by("reads-values", **{"If-None-Match": tag}))

    assert answer.status_code == 304


async def test_through_an_outage_known_values_are_served_and_marked(servers: Servers, api: httpx.AsyncClient) -> None:
    """What nobody has asked for before is not available, which is not the same as empty."""
    await api.get(URL, headers=by("reads-values"))
    servers.store_link.cut()
    servers.redis_link.cut()  # while changes are heard, what is known needs nobody to confirm it

    with anyio.fail_after(60):
        while not (known := await api.get(URL, headers=by("reads-values"))).json()["stale"]:
            await anyio.sleep(0.01)
    unknown = await api.get("/v1/configuration/shop/staging/checkout", headers=by("reads-all"))

    assert (known.status_code, known.json()["values"], known.json()["stale"]) == (200, {"A": 1}, ["A"])
    assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "5")
    health = (await api.get("/healthz")).json()
    assert "repository" in health["away"]


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        "no json",
        json.dumps([grant("a"), grant("a")]),
        json.dumps([grant("a", token_sha256="reads-values")]),
    ],
)
def test_without_sound_grants_the_api_does_not_start(tmp_path: Path, content: str) -> None:
    """It would let nobody in, or the wrong ones."""
    file = tmp_path / "grants.json"
    file.write_text(content)

    with pytest.raises(GrantsRefused):
        Grants.from_settings({"ADX_CONFIGURATION_GRANTS_FILE": str(file)})
    with pytest.raises(GrantsRefused):
        Grants.from_settings({})
