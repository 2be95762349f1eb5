"""Rules of a watch that a real API server does not put to the test on demand: old versions, bookmarks, errors."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import httpx
import pytest

from workflows.clients.kubernetes.errors import ClusterRefused, ClusterUnreachable
from workflows.clients.kubernetes.kubeconfig import Access
from workflows.clients.kubernetes.watching import Watches

Json = dict[str, Any]
PATH = "/apis/discovery.k8s.io/v1/namespaces/boutique/endpointslices"


def item(name: str, version: int) -> Json:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def listed(version: int, *names: str, following: str = "") -> httpx.Response:
    metadata = {"resourceVersion": str(version)} | ({"continue": following} if following else {})
    return httpx.Response(200, json={"metadata": metadata, "items": [item(name, version) for name in names]})


def watched(*events: tuple[str, Json]) -> httpx.Response:
    lines = [json.dumps({"type": kind, "object": body}) + "\n" for kind, body in events]
    return httpx.Response(200, text="".join(lines))


def status(code: int) -> Json:
    return {"kind": "Status", "code": code, "reason": "Expired", "message": "too old resource version: 1 (9)"}


class Script:
    """Answers in order; ``asked`` has what each request was: ``list`` with its page, ``watch`` with its version."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        given = request.url.params
        self.asked.append(
            f"watch {given['resourceVersion']}" if "watch" in given else f"list {given.get('continue', '')}"
        )
        return self.answers.pop(0) if self.answers else httpx.Response(503)


async def seen(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names after each step, until the script ends."""
    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **given: real(**given, transport=httpx.MockTransport(script)))
    watches, found = Watches(Access(server="http://127.0.0.1:9")), list[list[str]]()
    with suppress(ClusterUnreachable, ClusterRefused):
        async for objects in watches.objects(PATH, "app.kubernetes.io/name=cart", every_seconds=60):
            found.append(sorted(objects))
    await watches.close()
    return found


async def test_a_version_that_is_too_old_leads_to_a_new_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an event of the watch, and as the status of the request for one. What has gone meanwhile is gone."""
    script = Script(
        listed(5, "a", "b"),
        watched(("ERROR", status(410))),
        listed(9, "b"),
        httpx.Response(410, json=status(410)),
        listed(12, "c"),
    )
    assert await seen(script, monkeypatch) == [["a", "b"], ["b"], ["c"]]
    assert script.asked == ["list ", "watch 5", "list ", "watch 9", "list ", "watch 12"]


async def test_bookmarks_and_changes_move_the_version_on(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        listed(5, "a"),
        watched(("ADDED", item("b", 7)), ("BOOKMARK", {"metadata": {"resourceVersion": "30"}})),
        watched(("DELETED", item("a", 31)), ("MODIFIED", item("b", 33))),
    )
    found = await seen(script, monkeypatch)
    assert found == [["a"], ["a", "b"], ["a", "b"], ["a", "b"], ["b"], ["b"], ["b"]]
    assert script.asked == ["list ", "watch 5", "watch 30", "watch 33"]


async def test_all_pages_of_a_list_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(listed(5, "a", following="next"), listed(5, "b"))
    assert await seen(script, monkeypatch) == [["a", "b"]]
    assert script.asked == ["list ", "list next", "watch 5"]


async def test_another_error_within_a_watch_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(listed(5), watched(("ERROR", {"kind": "Status", "code": 403, "message": "no"})))
    assert await seen(script, monkeypatch) == [[]]
    assert len(script.asked) == 2
