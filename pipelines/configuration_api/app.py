"""The HTTP API: values of a service, with an ETag, and a long poll that answers when something changes.

::

    GET /v1/configuration/{namespace}/{environment}/{service}?tenant=acme&secrets=true&wait=30
    Authorization: Bearer …
    If-None-Match: "…"

======  ================================================================================
200     values, versions, which of them are stale (what could confirm them is away), and what cannot be had now
304     nothing changed, or nothing changed while it waited
400     a name that none can have, or a wait that is no number
401     no token, or one that nobody gave
403     the token may not read this (or no secrets)
503     the repository is away, and this process was not asked for the service before
======  ================================================================================

Refusals are problems (``pipelines.http.problems``).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.configuration_api.grants import Grant, Grants
from pipelines.http.bearer import CHALLENGE
from pipelines.http.problems import RETRY_AFTER_SECONDS, Refusal, answer_of
from pipelines.http.tags import is_known, tag_of
from policies.configuration.values import ConfigurationKey, Json, why_key_is_refused
from policies.errors import AdxError
from workflows.configuration.reading import ConfigurationReader, Values

PATH = "/v1/configuration/{namespace}/{environment}/{service}"
LONGEST_WAIT_SECONDS = 60.0
RECHECK_SECONDS = 5.0  # while changes cannot be heard


class Answer(msgspec.Struct, frozen=True):
    """Values by key. Secrets are left out, and named, unless they were asked for by who may read them.

    ``unavailable`` says of values that were asked for, and that nobody can open now, why.
    """

    values: dict[str, Json]
    versions: dict[str, int]
    stale: list[str]
    secrets_left_out: list[str]
    unavailable: dict[str, str]


@dataclass(frozen=True)
class Question:
    """What one request asks for."""

    namespace: str
    environment: str
    service: str
    tenant_id: str | None
    with_secrets: bool
    wait_seconds: float
    known_tag: str


class Api:
    """Answers requests from one reader, which believes what it knows until it hears of a change.

    ``stopping`` ends long polls, so that the server can.
    """

    def __init__(self, reader: ConfigurationReader, grants: Grants, stopping: asyncio.Event) -> None:
        self._reader = reader
        self._grants = grants
        self._stopping = stopping

    async def get(self, request: Request) -> Response:
        """The answer to one request."""
        try:
            question = self._question(request)
            answer, tag = await self._answer(question)
        except Refusal as refusal:
            return answer_of(refusal)
        except AdxError as error:
            later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return answer_of(Refusal(503, str(error), next_step=error.next_step, headers=later))
        headers = {"ETag": tag, "Cache-Control": "no-store" if question.with_secrets else "private, no-cache"}
        headers["Vary"] = "Authorization"
        if is_known(tag, question.known_tag):
            return Response(status_code=304, headers=headers)
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)

    async def health(self, _: Request) -> Response:
        """How the reader is doing; always 200, since it serves what it knows through outages."""
        return Response(msgspec.json.encode(self._reader.health()), media_type="application/json")

    def _question(self, request: Request) -> Question:
        grant = self._grants.of(request.headers.get("authorization"))
        if grant is None:
            raise Refusal(401, "a bearer token is needed", headers=CHALLENGE)
        place, query = request.path_params, request.query_params
        question = Question(
            namespace=place["namespace"],
            environment=place["environment"],
            service=place["service"],
            tenant_id=query.get("tenant") or None,
            with_secrets=query.get("secrets") == "true",
            wait_seconds=_seconds(query.get("wait", "0")),
            known_tag=request.headers.get("if-none-match", ""),
        )
        _check_names(question)
        _check(grant, question)
        return question

    async def _answer(self, question: Question) -> tuple[Answer, str]:
        give_up_at = time.monotonic() + question.wait_seconds
        scope = (question.namespace, question.environment, question.service)
        while True:
            remaining_seconds = give_up_at - time.monotonic()
            is_hearing = self._reader.health().is_hearing
            wait_seconds = max(0.0, remaining_seconds if is_hearing else min(remaining_seconds, RECHECK_SECONDS))
            # Waits before it looks: a change in between is not missed.
            news = asyncio.create_task(self._reader.wait_for_change(*scope, wait_seconds))
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.sleep(0)
                values = await self._reader.values_of(*scope, question.tenant_id)
                answer = _answer(values, with_secrets=question.with_secrets)
                tag = _tag(answer, values, question)
                if not is_known(tag, question.known_tag) or remaining_seconds <= 0 or self._stopping.is_set():
                    return answer, tag
                await asyncio.wait({news, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
                stopping.cancel()


def application(reader: ConfigurationReader, grants: Grants, stopping: asyncio.Event | None = None) -> Starlette:
    """The routes. ``stopping`` ends long polls."""
    api = Api(reader, grants, stopping or asyncio.Event())
    return Starlette(routes=[Route(PATH, api.get, methods=["GET"]), Route("/healthz", api.health, methods=["GET"])])


def _check_names(question: Question) -> None:
    """A name that nothing can have is not looked up, nor remembered as having no values."""
    key = ConfigurationKey(
        namespace=question.namespace,
        environment=question.environment,
        service=question.service,
        key="ANY",
        tenant_id=question.tenant_id,
    )
    why = why_key_is_refused(key)
    if why is not None:
        raise Refusal(400, why)


def _check(grant: Grant, question: Question) -> None:
    if not grant.allows(question.namespace, question.environment, question.service, question.tenant_id):
        raise Refusal(403, "the token may not read this")
    if question.with_secrets and not grant.secrets:
        raise Refusal(403, "the token may not read secrets")


def _answer(found: Values, *, with_secrets: bool) -> Answer:
    named = sorted(((key.key, one) for key, one in found.readings.items()), key=lambda pair: pair[0])
    shown = [(key, one) for key, one in named if with_secrets or not one.is_secret]
    unavailable = {key.key: why for key, why in found.unavailable.items()}  # only secrets can be
    left_out = [] if with_secrets else [*unavailable, *(key for key, one in named if one.is_secret)]
    return Answer(
        values={key: one.value for key, one in shown},
        versions={key: one.version for key, one in shown},
        stale=[key for key, one in shown if one.is_stale],
        secrets_left_out=sorted(left_out),
        unavailable=dict(sorted(unavailable.items())) if with_secrets else {},
    )


def _tag(answer: Answer, values: Values, question: Question) -> str:
    """Of versions and not of values: a digest of a short secret would give it away.

    And of layers: a tenant's own value and the environment's count their versions each for itself.
    """
    left_out = [*answer.secrets_left_out, *answer.unavailable]
    layers = sorted((key.key, one.layer) for key, one in values.readings.items() if key.key in answer.versions)
    what = (question.tenant_id, question.with_secrets, answer.versions, layers, answer.stale, left_out)
    return tag_of(msgspec.json.encode(what))


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdecimal():
        raise Refusal(400, "wait is a whole number of seconds")
    return min(float(text), LONGEST_WAIT_SECONDS)
