"""Deliveries as GitHub sends them, and a receiver on a real server with a recorded submission."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from pipelines.webhook import PATH, Receiver, application
from workflows.telemetry.serving import bind, served

SECRET = b"canary-webhook-secret-5f2c"
REPOSITORY = "acme/platform"
COMMIT = "8d1e77aa" * 5


def push(**changes: object) -> bytes:
    """The body of a push to main, with ``changes``."""
    event = {
        "ref": "refs/heads/main",
        "before": "3f2a9c1b" * 5,
        "after": COMMIT,
        "deleted": False,
        "repository": {"full_name": REPOSITORY, "id": 1},
        "pusher": {"name": "ana", "email": "ana@example.com"},
        "sender": {"login": "ana"},
        "head_commit": {"message": "raise the cart's version", "id": COMMIT},
    }
    return json.dumps({**event, **changes}).encode()


def signature(body: bytes, secret: bytes = SECRET) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def headers(body: bytes, **changes: str | None) -> dict[str, str]:
    """The headers of a correctly signed push; None leaves one out, underscores stand for dashes."""
    usual: dict[str, str | None] = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": signature(body),
    }
    changed = usual | {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in changed.items() if value is not None}


@dataclass
class Recorded:
    """Stands for Temporal and the ledger in tests of the HTTP side alone; ``failure`` is raised by the submission."""

    submitted: list[tuple[str, str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit(self, commit: str, requested_by: str) -> str:
        """Record, wait for the gate if there is one, fail if told to."""
        self.submitted.append((commit, requested_by))
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return "intake-1"

    async def is_known(self, delivery_id: str) -> bool:
        """Whether it was remembered."""
        return delivery_id in self.known

    async def remember(self, delivery_id: str, event: str) -> None:
        """Remember it."""
        self.known[delivery_id] = event


@dataclass
class Served:
    """A receiver that listens on ``address``."""

    address: str
    client: httpx.AsyncClient
    recorded: Recorded

    async def post(self, body: bytes, sent: Mapping[str, str] | None = None) -> httpx.Response:
        """Deliver ``body``, correctly signed unless ``sent`` says otherwise."""
        return await self.client.post(PATH, content=body, headers=dict(headers(body) if sent is None else sent))


@asynccontextmanager
async def receiver(recorded: Recorded | None = None, **options: object) -> AsyncIterator[Served]:
    """A real server with a receiver of ``REPOSITORY`` and branch main."""
    recorded = recorded or Recorded()
    made = Receiver(
        secret=SECRET,
        repository=REPOSITORY,
        branch="main",
        submit=recorded.submit,
        deliveries=recorded,
        **options,  # type: ignore[arg-type] # tests pass what they are about
    )
    async with (
        served(application(made, {}), bind("0")) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client,
    ):
        yield Served(address, client, recorded)
