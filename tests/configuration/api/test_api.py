"""The HTTP API on real servers: who may read what, ETags, long polls, outages."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pipelines.configuration_api.app import application
from pipelines.configuration_api.grants import Grant, Grants, GrantsRefused
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
    place = {"namespaces": ["shop"], "environments": ["staging"], "services": ["frontend"]}
    return {"name": name, "token_sha256": digest, **place, **what}


GRANTS = [
    grant("reads-values"),
    grant("reads-secrets", secrets=True),
    grant("reads-acme", tenants=["acme"]),
    grant("reads-other", services=["checkout"]),
    grant("reads-rival", namespaces=["rival"], tenants=["*"], secrets=True),
    grant("reads-all", namespaces=["*"], environments=["*"], services=["*"], tenants=["*"], secrets=True),
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
        async with client_of(reader, grants) as client:
            yield client
    await store.close()


def client_of(reader: ConfigurationReader, grants: Grants) -> httpx.AsyncClient:
    """Who asks the API of this reader."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(reader, grants)), base_url="http://api")


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
        (by("reads-rival"), {}, 403),
        (by("reads-rival"), {"secrets": "true"}, 403),
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


async def test_a_value_of_another_layer_is_another_value(servers: Servers, api: httpx.AsyncClient) -> None:
    """Though it is the first of its own: whoever has the environment's is given the tenant's, and back."""
    await servers.write(Write(key=key("B"), value=plain("all")))
    params, token = {"tenant": "acme", "wait": "50"}, "reads-acme"
    with anyio.fail_after(30):
        while "B" not in (first := await api.get(URL, params={"tenant": "acme"}, headers=by(token))).json()["values"]:
            await anyio.sleep(0.01)
        known = by(token, **{"If-None-Match": first.headers["etag"]})
        waiting = asyncio.create_task(api.get(URL, params=params, headers=known))
        await anyio.wait_all_tasks_blocked()
        await servers.write(Write(key=key("B", tenant="acme"), value=plain("acme")))
        own = await waiting
        await servers.write(Write(key=key("B", tenant="acme"), value=None))
        known = by(token, **{"If-None-Match": own.headers["etag"]})
        back = await api.get(URL, params=params, headers=known)

    assert (own.status_code, own.json()["values"]["B"], own.json()["versions"]["B"]) == (200, "acme", 1)
    assert (back.status_code, back.json()["values"]["B"], back.json()["versions"]["B"]) == (200, "all", 1)
    assert back.headers["etag"] == first.headers["etag"]


async def test_news_that_were_lost_do_not_leave_a_long_poll_asleep(servers: Servers, api: httpx.AsyncClient) -> None:
    """It looks again when the connection to Redis is made anew."""
    tag = (await api.get(URL, headers=by("reads-values"))).headers["etag"]
    headers = by("reads-values", **{"If-None-Match": tag})
    with anyio.fail_after(30):
        waiting = asyncio.create_task(api.get(URL, params={"wait": "50"}, headers=headers))
        await anyio.wait_all_tasks_blocked()
        await servers.write(Write(key=key("A"), value=plain(9)), announce=False)
        servers.plain_redis.client_kill_filter(_type="pubsub")

        assert (await waiting).json()["values"] == {"A": 9}


@pytest.mark.parametrize(
    ("path", "tenant"),
    [
        ("/v1/configuration/Shop/staging/frontend", "acme"),
        ("/v1/configuration/shop/sta_ging/frontend", "acme"),
        (f"/v1/configuration/shop/staging/{'x' * 64}", "acme"),
        (URL, "ACME"),
        (URL, "acme%0a"),
    ],
)
async def test_a_name_that_none_can_have_is_refused(api: httpx.AsyncClient, path: str, tenant: str) -> None:
    """By whoever may read everything; nobody else's names are told apart from his."""
    answer = await api.get(f"{path}?tenant={tenant}", headers=by("reads-all"))

    assert (answer.status_code, (await api.get(path)).status_code) == (400, 401)
    assert "is not a name" in answer.text


async def test_made_up_names_do_not_fill_the_memory(servers: Servers) -> None:
    """Namespaces, services and tenants, asked for by whoever may ask for any; what is asked for goes on."""
    await servers.write(Write(key=key("A"), value=plain(1)), Write(key=key("B"), value=plain(2)))
    grants = Grants(tuple(Grant(**one) for one in GRANTS))
    async with ConfigurationReader(servers.direct, shared=servers.shared(), times=BRIEF, most_values=12) as reader:
        await hearing(reader)
        async with client_of(reader, grants) as client:
            for number in range(20):
                everybodys = await client.get(URL, headers=by("reads-values"))
                for path in (URL, URL.replace("shop", f"shop-{number}"), URL.replace("frontend", f"service-{number}")):
                    params = {"tenant": f"tenant-{number}"}
                    assert (await client.get(path, params=params, headers=by("reads-all"))).status_code == 200

        assert everybodys.json()["values"] == {"A": 1, "B": 2}
        assert reader.health().entries <= 12
        memory, services, listener = reader._memory, reader._services, reader._listener
        assert len(services._known) <= 12
        assert {one for keys in memory._by_common.values() for one in keys} == memory.known.keys()
        assert listener._waiting == {}


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
        json.dumps([grant("a", namespaces="shop")]),
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


def test_grants_that_do_not_say_whose_values_they_are_about_are_refused(tmp_path: Path) -> None:
    """One store may serve several platforms, whose services have the same names; it is told what to write."""
    old = {name: what for name, what in grant("a").items() if name != "namespaces"}
    file = tmp_path / "grants.json"
    file.write_text(json.dumps([old]))

    with pytest.raises(GrantsRefused, match="namespaces") as refused:
        Grants.from_settings({"ADX_CONFIGURATION_GRANTS_FILE": str(file)})
    assert 'namespaces (such as ["boutique-staging"])' in refused.value.next_step


@pytest.mark.parametrize("part", ["namespace", "environment", "service", "tenant_id"])
def test_a_grant_covers_each_part_of_a_place(part: str) -> None:
    """Another one of any is not allowed, ``*`` allows each."""
    place: dict[str, Any] = {"namespace": "shop", "environment": "staging", "service": "frontend", "tenant_id": "acme"}
    names = {"namespace": "namespaces", "environment": "environments", "service": "services", "tenant_id": "tenants"}
    only, every = Grant(**grant("a", tenants=["acme"])), Grant(**grant("a", tenants=["acme"]) | {names[part]: ["*"]})

    assert only.allows(**place)
    assert not only.allows(**place | {part: "other"})
    assert every.allows(**place | {part: "other"})


def test_the_grants_in_the_documentation_are_sound(tmp_path: Path) -> None:
    """Whoever copies them puts in a digest."""
    docs = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
    (example,) = (block for block in re.findall(r"```json\n(.*?)```", docs, re.DOTALL) if "token_sha256" in block)
    file = tmp_path / "grants.json"
    file.write_text(example.replace("…", hashlib.sha256(b"frontend").hexdigest()))

    found = Grants.from_settings({"ADX_CONFIGURATION_GRANTS_FILE": str(file)}).of("Bearer frontend")

    assert found is not None
    assert found.allows("boutique-staging", "staging", "frontend", "acme")
    assert not found.allows("rival-staging", "staging", "frontend", "acme")
