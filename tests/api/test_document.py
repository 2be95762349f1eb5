"""docs/api/openapi.json is the API's."""

from __future__ import annotations

from pathlib import Path

import httpx

from pipelines.api.app import document_text
from pipelines.api.document import PLACE

ROOT = Path(__file__).parents[2]


def test_the_document_in_the_repository_is_current() -> None:
    """Otherwise: adx api document --write docs/api/openapi.json."""
    assert (ROOT / PLACE).read_text("utf-8") == document_text()


async def test_the_document_is_served_as_it_is_kept(api: httpx.AsyncClient) -> None:
    served = await api.get("/openapi.json")

    assert served.json() == httpx.Response(200, text=document_text()).json()


def test_every_answer_is_described(api: httpx.AsyncClient) -> None:
    """Each operation takes a token, and each refusal is a problem."""
    paths = httpx.Response(200, text=document_text()).json()["paths"]
    for operation in (one for methods in paths.values() for one in methods.values()):
        assert operation["security"] == [{"token": []}]
        refusals = [one for status, one in operation["responses"].items() if status >= "4"]
        assert {tuple(one["content"]) for one in refusals} == {("application/problem+json",)}
