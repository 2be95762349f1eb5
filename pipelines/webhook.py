"""The webhook receiver's HTTP side: from a GitHub delivery to a submission.

Boundaries: decides nothing about rollouts; ``submit`` and ``deliveries`` are
handed in (``pipelines.receiver`` connects them to Temporal and the ledger).

A delivery is only a hint that the branch moved. What it can cause at most is
that a commit is submitted, which every environment judges for itself: whether
it is on the branch, newer than what runs, and not quarantined. That matters
because GitHub signs the body but neither the time nor the delivery id, so a
recorded body can be sent again under a new id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.webhook_checks import (
    Push,
    RefusedError,
    check_content_type,
    check_signature,
    delivery_id,
    parse_push,
    required_signature,
    why_ignored,
)
from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError
from workflows.telemetry import logs, metrics, probes
from workflows.telemetry.redaction import Redactor

PATH = "/webhooks/github"
DEFAULT_LIMIT_BYTES = 5 * 1024 * 1024
BODY_WITHIN_SECONDS = 4.0
ANSWER_WITHIN_SECONDS = 8.0  # GitHub hangs up after ten

Submit = Callable[[str, str], Awaitable[str]]
"""``submit(commit, requested_by)`` returns a name once it is durable that every environment gets the commit.

Must be idempotent: submitting a commit twice delivers it once.
"""


class Deliveries(Protocol):
    """Which deliveries were handled; outlives the process."""

    async def is_known(self, delivery_id: str) -> bool:
        """Whether the delivery was remembered before."""

    async def remember(self, delivery_id: str, event: str) -> None:
        """Remember the delivery; twice is as good as once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer and its label in logs and metrics."""

    status: int
    outcome: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Judges deliveries for one repository and branch. ``secret`` must not be empty."""

    secret: bytes = field(repr=False)
    repository: str
    branch: str
    submit: Submit
    deliveries: Deliveries
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    redactor: Redactor = field(default_factory=Redactor)
    under_way: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not self.secret.strip():
            raise AdxError(
                "the webhook secret is empty, so anybody could start a rollout",
                next_step="write a long random value to the file that ADX_WEBHOOK_SECRET_FILE names",
            )

    async def answer(self, headers: Headers, chunks: AsyncIterable[bytes]) -> Answer:
        """The answer to one delivery; raises RefusedError, and AdxError when the submission failed."""
        signature = required_signature(headers.getlist("x-hub-signature-256"), headers.getlist("x-hub-signature"))
        body = await self._body(headers.get("content-length"), chunks)
        check_signature(self.secret, body, signature)
        check_content_type(headers.get("content-type"), headers.get("content-encoding"))
        delivery = delivery_id(headers.get("x-github-delivery"))
        event = headers.get("x-github-event", "")
        if event == "ping":
            return Answer(200, "ping", {"message": "pong"})
        if event != "push":
            return Answer(202, "ignored", {"message": "only push events are delivered"})
        return await self._push(parse_push(body), delivery)

    async def _body(self, declared: str | None, chunks: AsyncIterable[bytes]) -> bytes:
        """The raw body. What is declared can lie, so bytes are counted as they arrive."""
        too_large = RefusedError(413, "too_large", f"the body is larger than {self.limit_bytes} bytes")
        if declared is not None and declared.isascii() and declared.isdecimal() and int(declared) > self.limit_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_WITHIN_SECONDS):
                async for chunk in chunks:
                    body += chunk
                    if len(body) > self.limit_bytes:
                        raise too_large
        except TimeoutError as error:
            raise RefusedError(408, "malformed", "the body did not arrive in time") from error
        return bytes(body)

    async def _push(self, push: Push, delivery: str) -> Answer:
        reason = why_ignored(push, self.repository, self.branch)
        if reason is not None or push.commit is None:
            return Answer(202, "ignored", {"message": reason})
        if delivery in self.under_way or await self.deliveries.is_known(delivery):
            return Answer(200, "replayed", {"message": "this delivery is already known; nothing was done"})
        self.under_way.add(delivery)
        try:
            return await self._submit(push.commit, push.pushed_by, delivery)
        finally:
            self.under_way.discard(delivery)

    async def _submit(self, commit: str, pushed_by: str, delivery: str) -> Answer:
        # Submitted first, remembered second. A crash in between leaves an unknown delivery whose commit is
        # submitted: sent again, it is submitted again, which delivers nothing twice. The other order would
        # leave a known delivery whose commit nobody submitted, and sending it again would change nothing.
        with logs.bound(delivery=delivery, commit=commit):
            intake = await self.submit(commit, pushed_by)
        await self.deliveries.remember(delivery, "push")
        return Answer(202, "accepted", {"message": "submitted", "commit": commit, "intake": intake})


def application(receiver: Receiver, checks: Mapping[str, probes.Check]) -> Starlette:
    """The receiver's routes: the webhook, ``/healthz``, ``/readyz`` and ``/metrics``."""

    async def receive(request: Request) -> Response:
        answer = await _answer_in_time(receiver, request)
        metrics.WEBHOOK_DELIVERIES.labels(outcome=answer.outcome).inc()
        logs.logger().info(
            "webhook delivery",
            outcome=answer.outcome,
            status=answer.status,
            message=answer.body.get("message"),
            delivery=request.headers.get("x-github-delivery", "")[:64],
            github_event=request.headers.get("x-github-event", "")[:64],
        )
        return JSONResponse(dict(answer.body), status_code=answer.status)

    return Starlette(routes=[Route(PATH, receive, methods=["POST"]), *probes.routes(checks)])


async def _answer_in_time(receiver: Receiver, request: Request) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            return await receiver.answer(request.headers, request.stream())
    except RefusedError as refusal:
        return Answer(refusal.status, refusal.outcome, {"message": str(refusal)})
    except AdxError as error:
        is_temporary = isinstance(error, AdxConnectionError | AdxTimeoutError)
        message = {"message": receiver.redactor.line(str(error)), "next_step": receiver.redactor.line(error.next_step)}
        return Answer(503, "unavailable", message) if is_temporary else Answer(422, "refused", message)
    except TimeoutError:
        return Answer(503, "unavailable", {"message": "not submitted in time; the poller will find the commit"})
    except ClientDisconnect:
        return Answer(400, "malformed", {"message": "the sender hung up"})
