"""POST /api/migrations: started once, by whoever may, and otherwise refused in words."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from pipelines.api.limits import LARGEST_BODY_BYTES
from tests.api.conftest import BODY, CANARY, by
from tests.api.doubles import Lost, Remembering
from workflows.errors import AdxConnectionError, AdxValidationError

URL = "/api/migrations"
PROBLEM = "application/problem+json"


async def test_a_migration_is_started_and_told_by_its_id(api: httpx.AsyncClient, starter: Remembering) -> None:
    answer = await api.post(URL, json=BODY, headers=by("migrator"))

    assert (answer.status_code, answer.json()) == (200, {"status": "started", "operation_id": "release-1"})
    assert starter.claims["release-1"].requested_by == "api:migrator"


async def test_the_same_request_is_the_same_operation(api: httpx.AsyncClient, starter: Remembering) -> None:
    """At once, later, from another caller, and with what was left out spelled as it was understood."""
    sent = [api.post(URL, json=BODY, headers=by("migrator")) for _ in range(5)]
    sent += [api.post(URL, json=BODY | {"environment": "staging", "database": "shop"}, headers=by("boss"))]
    answers = await asyncio.gather(*sent)

    assert {(one.status_code, one.json()["operation_id"]) for one in answers} == {(200, "release-1")}
    assert starter.started == ["release-1"]


async def test_an_id_that_stands_for_another_request_is_refused_with_the_difference(
    api: httpx.AsyncClient, starter: Remembering
) -> None:
    await api.post(URL, json=BODY, headers=by("migrator"))
    changed = BODY | {"target_version": 4, "environment": "production"}
    answer = await api.post(URL, json=changed, headers=by("migrator"))

    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)
    assert answer.json()["type"] == "urn:adx:problem:id-taken"
    assert answer.json()["errors"] == [
        {"at": "body.target_version", "message": "target_version was 3 and is 4 now"},
        {"at": "body.environment", "message": "environment was left out and is production now"},
    ]
    assert starter.started == ["release-1"]


async def test_what_was_spelled_out_may_not_be_left_out_later(api: httpx.AsyncClient) -> None:
    """What it would mean then may be something else."""
    await api.post(URL, json=BODY | {"environment": "staging"}, headers=by("migrator"))
    answer = await api.post(URL, json=BODY, headers=by("migrator"))

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["message"] == "environment was staging and is left out now"


@pytest.mark.parametrize("body", [BODY, BODY | {"target_version": 4}])
async def test_whoever_may_not_see_an_operation_learns_nothing_of_it_by_its_id(
    api: httpx.AsyncClient, body: dict[str, object]
) -> None:
    await api.post(URL, json=BODY, headers=by("migrator"))
    answer = await api.post(URL, json=body, headers=by("production-only"))

    assert answer.status_code == 409
    assert "errors" not in answer.json()
    assert "3" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, BODY, 401),
        (by("nobody"), BODY, 401),
        ({"Authorization": "Basic migrator"}, BODY, 401),
        ({"Authorization": "Bearer "}, BODY, 401),
        (by("reader"), BODY, 403),
        (by("production-only"), BODY | {"environment": "staging"}, 403),
        (by("acme-only"), BODY | {"tenant_id": "globex"}, 403),
        (by("acme-only"), {"id": "all", "target_version": 3}, 403),
        (by("acme-only"), BODY, 200),
        (by("migrator"), BODY | {"tenant_id": "nobody"}, 404),
    ],
)
async def test_a_token_does_what_its_role_and_scope_allow(
    api: httpx.AsyncClient, starter: Remembering, headers: dict[str, str], body: dict[str, object], status: int
) -> None:
    answer = await api.post(URL, json=body, headers=headers)

    assert answer.status_code == status
    assert bool(starter.started) == (status == 200)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    if status != 200:
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["status"] == status
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "status", "place"),
    [
        (b"", 422, "body"),
        (b"[]", 422, "body"),
        (b"{", 422, "body.1"),
        (b'{"id": "\xff"}', 400, ""),
        (b"[" * 20_000, 400, ""),
        (json.dumps(BODY | {"target_version": "3"}).encode(), 422, "body.target_version"),
        (json.dumps(BODY | {"target_version": True}).encode(), 422, "body.target_version"),
        (json.dumps(BODY | {"target_version": 3.5}).encode(), 422, "body.target_version"),
        (json.dumps(BODY | {"target_version": 10**400}).encode(), 422, "body.target_version"),
        (json.dumps(BODY | {"target_version": -1}).encode(), 422, "body.target_version"),
        (json.dumps(BODY | {"id": "Release 1"}).encode(), 422, "body.id"),
        (json.dumps(BODY | {"id": "release\n"}).encode(), 422, "body.id"),
        (json.dumps(BODY | {"id": "\ud800"}).encode(), 422, "body.id"),
        (json.dumps(BODY | {"tenant_id": "../acme"}).encode(), 422, "body.tenant_id"),
        (json.dumps(BODY | {"tenant_id": ""}).encode(), 422, "body.tenant_id"),
        (json.dumps(BODY | {"url": f"postgresql://u:{CANARY}@h/d"}).encode(), 422, "body.url"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_place_and_not_repeated(
    api: httpx.AsyncClient, starter: Remembering, content: bytes, status: int, place: str
) -> None:
    headers = by("migrator", **{"Content-Type": "application/json"})
    answer = await api.post(URL, content=content, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert CANARY not in answer.text
    assert starter.claims == {}
    if place:
        assert place in [one["at"] for one in answer.json()["errors"]]


async def test_a_form_is_no_json(api: httpx.AsyncClient, starter: Remembering) -> None:
    """Pages of other sites can send forms and plain text without asking the browser."""
    headers = by("migrator", **{"Content-Type": "text/plain"})

    assert (await api.post(URL, content=json.dumps(BODY), headers=headers)).status_code == 422
    assert starter.started == []


async def test_a_large_body_is_refused_by_what_is_declared_and_by_what_arrives(api: httpx.AsyncClient) -> None:
    async def endless():
        for _ in range(LARGEST_BODY_BYTES // 1024 + 1):
            yield b"x" * 1024

    async def never():
        raise AssertionError("it was read")
        yield b""

    headers = by("migrator", **{"Content-Type": "application/json"})
    length = {"Content-Length": str(LARGEST_BODY_BYTES + 1)}
    declared = await api.post(URL, content=never(), headers=headers | length)
    arriving = await api.post(URL, content=endless(), headers=headers)

    assert (declared.status_code, arriving.status_code) == (413, 413)
    assert {one.headers["content-type"] for one in (declared, arriving)} == {PROBLEM}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AdxConnectionError(f"no answer from postgresql://adx:{CANARY}@h", next_step="wait"), 503),
        (AdxValidationError(f"{CANARY} is wrong", next_step="mend it"), 422),
        (Lost(CANARY), 422),
        (RuntimeError(CANARY), 500),
    ],
)
async def test_errors_are_told_by_their_kind_and_without_secrets(
    api: httpx.AsyncClient, starter: Remembering, error: Exception, status: int
) -> None:
    starter.error = error
    answer = await api.post(URL, json=BODY, headers=by("migrator"))

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert CANARY not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_whoever_asks_too_often_is_told_when_to_ask_again(api: httpx.AsyncClient) -> None:
    """And nobody else is."""
    answers = [await api.get("/api/operations", headers=by("reader")) for _ in range(31)]
    other = await api.get("/api/operations", headers=by("boss"))

    assert [one.status_code for one in answers] == [200] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert other.status_code == 200


async def test_unknown_paths_and_methods_are_problems_too(api: httpx.AsyncClient) -> None:
    path = await api.get("/api/nothing", headers=by("reader"))
    method = await api.delete(URL, headers=by("boss"))

    assert (path.status_code, method.status_code) == (404, 405)
    assert method.headers["allow"] == "POST"
    assert path.headers["content-type"] == method.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(("given", "kept"), [("deploy-17", True), ("a b", False), ("x" * 65, False)])
async def test_a_request_has_an_id_which_may_be_the_callers_own(api: httpx.AsyncClient, given: str, kept: bool) -> None:
    answer = await api.get("/api/operations", headers=by("reader", **{"X-Request-Id": given}))

    assert (answer.headers["x-request-id"] == given) == kept
