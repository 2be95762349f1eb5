"""GET /api/operations: seen by whoever may, tagged, waited for; and stopped by an admin."""

from __future__ import annotations

import asyncio

import anyio
import httpx
import pytest

from tests.api.conftest import BODY, by
from tests.api.doubles import Remembering

ONE = "/api/operations/release-1"


@pytest.fixture(autouse=True)
async def started(api: httpx.AsyncClient) -> None:
    await api.post("/api/migrations", json=BODY, headers=by("migrator"))


async def test_an_operation_tells_how_far_it_is(api: httpx.AsyncClient, starter: Remembering) -> None:
    running = await api.get(ONE, headers=by("reader"))
    starter.end("release-1")
    over = await api.get(ONE, headers=by("reader"))

    assert (running.json()["status"], running.json()["is_over"]) == ("running", False)
    assert (over.json()["is_over"], over.json()["progress"]["percent"]) == (True, 100)
    assert running.headers["etag"] != over.headers["etag"]


@pytest.mark.parametrize("token", ["production-only", "reader"])
async def test_an_operation_that_may_not_be_seen_is_as_one_that_does_not_exist(
    api: httpx.AsyncClient, token: str
) -> None:
    place = ONE if token == "production-only" else "/api/operations/release-2"
    answer = await api.get(place, headers=by(token))
    listed = await api.get("/api/operations", headers=by(token))

    assert answer.status_code == 404
    assert answer.json()["detail"] == f"there is no operation {place.rpartition('/')[2]}"
    assert len(listed.json()["operations"]) == (token == "reader")


async def test_what_is_known_is_not_sent_again(api: httpx.AsyncClient) -> None:
    first = await api.get(ONE, headers=by("reader"))
    again = await api.get(ONE, headers=by("reader", **{"If-None-Match": f"W/{first.headers['etag']}"}))

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_a_wait_ends_with_the_news(api: httpx.AsyncClient, starter: Remembering) -> None:
    tag = (await api.get(ONE, headers=by("reader"))).headers["etag"]
    with anyio.fail_after(60):
        waiting = asyncio.create_task(
            api.get(ONE, params={"wait": "60"}, headers=by("reader", **{"If-None-Match": tag}))
        )
        await anyio.wait_all_tasks_blocked()
        assert not waiting.done()
        starter.end("release-1")
        answer = await waiting

    assert (answer.status_code, answer.json()["is_over"]) == (200, True)


async def test_a_wait_for_the_end_is_not_disturbed_by_other_news(api: httpx.AsyncClient, starter: Remembering) -> None:
    with anyio.fail_after(60):
        waiting = asyncio.create_task(api.get(ONE, params={"wait": "60", "until": "over"}, headers=by("reader")))
        await anyio.wait_all_tasks_blocked()
        starter.operations["release-1"] = starter.operations["release-1"].model_copy(update={"database": "news"})
        await anyio.wait_all_tasks_blocked()
        assert not waiting.done()
        starter.end("release-1")

        assert (await waiting).json()["is_over"]


async def test_nothing_is_waited_for_once_it_is_over(api: httpx.AsyncClient, starter: Remembering) -> None:
    starter.end("release-1")
    tag = (await api.get(ONE, headers=by("reader"))).headers["etag"]
    with anyio.fail_after(50):
        answer = await api.get(ONE, params={"wait": "60"}, headers=by("reader", **{"If-None-Match": tag}))

    assert answer.status_code == 304


async def test_a_server_that_ends_answers_whoever_waits(api: httpx.AsyncClient, stopping: asyncio.Event) -> None:
    tag = (await api.get(ONE, headers=by("reader"))).headers["etag"]
    with anyio.fail_after(50):
        waiting = asyncio.create_task(
            api.get(ONE, params={"wait": "60"}, headers=by("reader", **{"If-None-Match": tag}))
        )
        await anyio.wait_all_tasks_blocked()
        stopping.set()

        assert (await waiting).status_code == 304


@pytest.mark.parametrize(
    "params", [{"wait": "61"}, {"wait": "-1"}, {"wait": "soon"}, {"limit": "0"}, {"status": "done"}, {"after": "é"}]
)
async def test_wrong_questions_are_refused(api: httpx.AsyncClient, params: dict[str, str]) -> None:
    place = ONE if "wait" in params else "/api/operations"
    answer = await api.get(place, params=params, headers=by("reader"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == f"query.{next(iter(params))}"


@pytest.mark.parametrize(
    "asked",
    ["/api/operations?tenant=acme", "/api/operations?limit=1&limit=2", f"{ONE}?canary-2f81=1", f"{ONE}?="],
)
async def test_parameters_that_are_unknown_or_there_twice_are_refused(api: httpx.AsyncClient, asked: str) -> None:
    """A filter that is misspelt must not find everything; what was sent is not repeated."""
    answer = await api.get(asked, headers=by("reader"))

    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "query")
    assert "canary-2f81" not in answer.text


@pytest.mark.parametrize(("token", "status"), [("reader", 403), ("migrator", 403), ("production-only", 404)])
async def test_only_an_admin_who_may_see_it_stops_an_operation(
    api: httpx.AsyncClient, starter: Remembering, token: str, status: int
) -> None:
    refused = await api.post(f"{ONE}/cancel", headers=by(token))
    stopped = await api.post(f"{ONE}/cancel", headers=by("boss"))
    again = await api.post(f"{ONE}/cancel", headers=by("boss"))

    assert (refused.status_code, stopped.status_code, again.status_code) == (status, 200, 200)
    assert stopped.json()["is_over"]
    assert starter.cancelled == [("release-1", "api:boss")]
