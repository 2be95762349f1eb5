"""Flags over HTTP, asked through a real server: OFREP, and the documents for flagd and the provider."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore

from pipelines.flags.declared import DeclaredFlags
from pipelines.flags.ofrep import application
from policies.configuration.flags.spec import FlagDecision
from policies.configuration.flags.wire import read_flags
from tests.configuration.flags.test_wire import named
from workflows.telemetry.serving import bind, served

FLAGS = named(
    {
        "on": FlagDecision(type="boolean", enabled=True, variants={"on": {"a": 1}, "off": {}}),
        "share": FlagDecision(type="percentage", percentage=50.0),
        "gifts": FlagDecision(type="tenant_list", tenants=("acme",)),
        "dead": FlagDecision(type="boolean", enabled=True, disabled=True),
    }
)
DECLARED = DeclaredFlags(environment="staging", commit="c" * 40, flags=tuple(FLAGS), services={})
ONE, ALL = "/ofrep/v1/evaluate/flags/{}", "/ofrep/v1/evaluate/flags"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server without token."""
    flags = DECLARED.served()
    async with (
        served(application(lambda: flags), bind("127.0.0.1:0")) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as found,
    ):
        yield found


@pytest.mark.parametrize(
    ("key", "context", "status", "answer"),
    [
        ("on", {}, 200, {"reason": "STATIC", "variant": "on", "value": {"a": 1}}),
        ("gifts", {"tenant": "acme"}, 200, {"reason": "TARGETING_MATCH", "variant": "on", "value": True}),
        ("dead", {}, 200, {"reason": "DISABLED"}),
    ],
)
async def test_one_flag_is_evaluated(
    client: httpx.AsyncClient, key: str, context: dict[str, Any], status: int, answer: dict[str, Any]
):
    """Value, variant and reason; where the caller's default counts, there is no value."""
    found = await client.post(ONE.format(key), json={"context": context})

    assert (found.status_code, found.json()) == (status, {"key": key} | answer)


@pytest.mark.parametrize(
    ("key", "body", "status", "code"),
    [
        ("gone", b'{"context": {}}', 404, "FLAG_NOT_FOUND"),
        ("share", b'{"context": {}}', 400, "TARGETING_KEY_MISSING"),
        ("share", b"", 400, "TARGETING_KEY_MISSING"),
        ("share", b'{"context": {"targetingKey": ""}}', 400, "TARGETING_KEY_MISSING"),
        ("share", b'{"context": {"targetingKey": 7}}', 400, "INVALID_CONTEXT"),
        ("share", b'{"context": []}', 400, "INVALID_CONTEXT"),
        ("share", b"[]", 400, "INVALID_CONTEXT"),
        ("share", b"{", 400, "PARSE_ERROR"),
        ("share", b"[" * 60_000, 400, "PARSE_ERROR"),
        ("share", b'{"context": {"a": "' + b"x" * 70_000 + b'"}}', 400, "INVALID_CONTEXT"),
    ],
)
async def test_what_cannot_be_evaluated_is_told_in_the_protocols_words(
    client: httpx.AsyncClient, key: str, body: bytes, status: int, code: str
):
    """Key, error code and details."""
    found = await client.post(ONE.format(key), content=body)

    assert (found.status_code, found.json()["key"], found.json()["errorCode"]) == (status, key, code)
    assert found.json()["errorDetails"]


async def test_all_flags_are_evaluated_and_known_answers_are_not_sent_again(client: httpx.AsyncClient):
    """The tag is of what this user gets: another user may get something else."""
    body = {"context": {"targetingKey": "ann", "tenant": "acme"}}
    first = await client.post(ALL, json=body)
    tag = first.headers["etag"]
    again = await client.post(ALL, json=body, headers={"If-None-Match": f'"other", W/{tag}'})
    other = await client.post(ALL, json={"context": {}}, headers={"If-None-Match": tag})

    assert [one["key"] for one in first.json()["flags"]] == ["dead", "gifts", "on", "share"]
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert other.status_code == 200
    assert other.json()["flags"][3]["errorCode"] == "TARGETING_KEY_MISSING"
    assert (await client.post(ALL, content=b"{")).json()["errorCode"] == "PARSE_ERROR"


async def test_flagd_and_the_provider_find_their_documents(client: httpx.AsyncClient):
    """With a tag, so that polling costs little."""
    flagd, own = await client.get("/flags.flagd.json"), await client.get("/flags.json")
    core = FlagdCore()
    core.set_flags(flagd.text)

    assert core.resolve_object_value("on", {}).value == {"a": 1}
    assert read_flags(own.content).flags.keys() == {"on", "share", "gifts", "dead"}
    again = await client.get("/flags.flagd.json", headers={"If-None-Match": flagd.headers["etag"]})
    assert again.status_code == 304


async def test_with_a_token_nobody_reads_without_it():
    """As a bearer token or as the protocol's API key; whether it lives is told to all."""
    flags = DECLARED.served()
    async with (
        served(application(lambda: flags, b"s3cret-canary"), bind("127.0.0.1:0")) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        refused = [
            await client.post(ALL, headers=headers)
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret-canary"})
        ]
        given = [{"Authorization": "bearer s3cret-canary"}, {"X-API-Key": "s3cret-canary"}]
        answers = [await client.post(ALL, headers=headers) for headers in given]
        health = await client.get("/healthz")

    assert [one.status_code for one in refused] == [401, 401, 401]
    assert refused[0].headers["www-authenticate"] == "Bearer"
    assert [one.status_code for one in answers] == [200, 200]
    assert json.loads(health.content) == {"commit": "c" * 40, "stale": False}
