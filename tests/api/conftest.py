"""The API over a starter in memory, and over a real environment; callers with each role and scope."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from pipelines.api.app import application
from pipelines.api.limits import RateLimit
from pipelines.api.tokens import Caller, match
from pipelines.http.bearer import digest_of_token
from tests.api.doubles import Remembering
from tests.api.world import World, delivered
from tests.support.local_stack import LocalStack
from workflows.telemetry.redaction import Redactor

CANARY = "canary-8d2f60b1c9"
BODY = {"id": "release-1", "target_version": 3, "tenant_id": "acme"}


def caller(name: str, role: str, **scope: tuple[str, ...]) -> Caller:
    """A caller whose token is its name."""
    return Caller(name=name, role=role, token_sha256=digest_of_token(name), **scope)  # type: ignore[arg-type]


CALLERS = (
    caller("reader", "read"),
    caller("migrator", "migrate"),
    caller("boss", "admin"),
    caller("production-only", "admin", environments=("production",)),
    caller("acme-only", "migrate", tenants=("acme",)),
)


def by(token: str, **headers: str) -> dict[str, str]:
    """Headers of a caller."""
    return {"Authorization": f"Bearer {token}", **headers}


@pytest.fixture
def starter() -> Remembering:
    return Remembering()


@pytest.fixture
def stopping() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def api(starter: Remembering, stopping: asyncio.Event) -> AsyncIterator[httpx.AsyncClient]:
    app = application(
        starter,
        lambda authorization: match(CALLERS, authorization),
        redactor=Redactor.of([CANARY]),
        limit=RateLimit(0.001, 30),
        stopping=stopping,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.fixture
async def world(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A delivered environment on the real servers."""
    async with delivered(local_stack, ledger_url, tmp_path, uuid.uuid4().hex[:12]) as made:
        yield made
