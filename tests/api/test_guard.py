"""Who is let in without tokens, and how often anybody is."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.api.app import application
from pipelines.api.limits import RateLimit
from pipelines.api.tokens import anybody
from tests.api.doubles import Remembering


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8791", 200),
        ("localhost", 200),
        ("[::1]:8791", 200),
        ("[::1]", 200),
        ("evil.example.com", 403),
        ("127.0.0.1.evil.example.com:8791", 403),
        (":8791", 403),
        ("", 403),
    ],
)
async def test_without_tokens_only_names_of_this_machine_are_answered(host: str, status: int) -> None:
    """A page of another site can reach this machine through a browser, but only by its own name."""
    transport = httpx.ASGITransport(application(Remembering(), anybody))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/api/operations", headers={"Host": host})

    assert answer.status_code == status


async def test_probes_and_document_are_open() -> None:
    transport = httpx.ASGITransport(application(Remembering(), lambda _: None))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        statuses = [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/openapi.json")]
        closed = await client.get("/api/operations")

    assert statuses == [200, 200, 200]
    assert closed.status_code == 401


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.floats(0.1, 50), st.integers(1, 20))
def test_nobody_gets_more_than_burst_and_rate_allow(pauses: list[float], per_second: float, burst: int) -> None:
    limit, now, passed = RateLimit(per_second, burst), 0.0, 0
    for pause in pauses:
        now += pause
        passed += limit.wait_seconds("a", now) == 0

    assert passed <= burst + per_second * now + 1e-6
    assert passed >= min(len(pauses), burst)


def test_whoever_waits_as_told_may_pass() -> None:
    limit = RateLimit(0.5, 1)
    assert limit.wait_seconds("a", 0) == 0
    wait_seconds = limit.wait_seconds("a", 0.5)

    assert wait_seconds == 2
    assert limit.wait_seconds("a", 0.5 + wait_seconds) == 0
