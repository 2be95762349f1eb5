"""Flags over HTTP: OpenFeature's Remote Evaluation Protocol (OFREP), and the documents for flagd and ADX's provider.

=========================================  ==============================================
POST /ofrep/v1/evaluate/flags/{key}        one flag
POST /ofrep/v1/evaluate/flags              all flags; ETag, 304
GET  /flags.flagd.json                     flagd's http sync reads it; ETag, 304
GET  /flags.json                           ADX's provider reads it; ETag, 304
GET  /healthz                              whether flags could be read
=========================================  ==============================================

The protocol: openfeature.dev, reference, OFREP (openapi.yaml 0.3). Where the flags come
from is the caller's.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.http.bearer import CHALLENGE, token_in
from pipelines.http.tags import is_known, tag_of
from policies.configuration.flags.evaluator import Evaluation, Evaluator
from policies.configuration.flags.wire import ADX_DOCUMENT, FLAGD_DOCUMENT

MAX_BODY_BYTES = 64 * 1024
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ServedFlags:
    """What is answered at one moment. ``commit`` is where the flags are from, None for a file."""

    evaluator: Evaluator
    adx_json: bytes
    flagd_json: bytes
    commit: str | None = None
    is_stale: bool = False


class _BadRequest(Exception):
    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def application(current: Callable[[], ServedFlags], token: bytes | None = None) -> Starlette:
    """The routes above. With ``token`` a caller sends it as ``Authorization: Bearer`` or ``X-API-Key``."""
    answers = _Answers(current)
    routes = [
        Route("/ofrep/v1/evaluate/flags/{key}", answers.evaluate_one, methods=["POST"]),
        Route("/ofrep/v1/evaluate/flags", answers.evaluate_all, methods=["POST"]),
        Route(f"/{FLAGD_DOCUMENT}", answers.document, methods=["GET"]),
        Route(f"/{ADX_DOCUMENT}", answers.document, methods=["GET"]),
        Route("/healthz", answers.health, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    if token is not None:
        app.add_middleware(BaseHTTPMiddleware, dispatch=_guard(token))
    return app


@dataclass(frozen=True, slots=True)
class _Answers:
    """What each route answers, from the flags as they are then."""

    current: Callable[[], ServedFlags]

    async def evaluate_one(self, request: Request) -> Response:
        key = request.path_params["key"]
        try:
            user, attributes = await _context(request)
        except _BadRequest as wrong:
            return _json({"key": key, "errorCode": wrong.code, "errorDetails": wrong.details}, 400)
        found = self.current().evaluator.evaluate(key, user, attributes)
        status = 200 if found.error_code is None else 404 if found.error_code == "FLAG_NOT_FOUND" else 400
        return _json(_told(key, found), status)

    async def evaluate_all(self, request: Request) -> Response:
        try:
            user, attributes = await _context(request)
        except _BadRequest as wrong:
            return _json({"errorCode": wrong.code, "errorDetails": wrong.details}, 400)
        flags = self.current()
        told = [_told(key, flags.evaluator.evaluate(key, user, attributes)) for key in flags.evaluator.keys]
        return _tagged(request, msgspec.json.encode({"flags": told}))

    async def document(self, request: Request) -> Response:
        flags = self.current()
        return _tagged(request, flags.flagd_json if request.url.path.endswith(FLAGD_DOCUMENT) else flags.adx_json)

    async def health(self, _request: Request) -> Response:
        flags = self.current()
        return _json({"commit": flags.commit, "stale": flags.is_stale}, 200)


def _guard(token: bytes) -> Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]:
    async def dispatch(request: Request, answer: RequestResponseEndpoint) -> Response:
        shown = token_in(request.headers.get("authorization")) or request.headers.get("x-api-key", "")
        if request.url.path == "/healthz" or hmac.compare_digest(shown.strip().encode(), token):
            return await answer(request)
        return Response(status_code=401, headers=CHALLENGE)

    return dispatch


async def _context(request: Request) -> tuple[str | None, dict[str, object]]:
    """Targeting key and attributes of the request. Raises _BadRequest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _BadRequest("INVALID_CONTEXT", f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        asked = msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _BadRequest("PARSE_ERROR", "the body is no JSON") from error
    context = asked.get("context") if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not (context is None or isinstance(context, dict)):
        raise _BadRequest("INVALID_CONTEXT", "the body is an object, and its context is one, too")
    attributes = dict(context or {})
    user = attributes.pop("targetingKey", None)
    if not (user is None or isinstance(user, str)):
        raise _BadRequest("INVALID_CONTEXT", "the targetingKey is a text")
    return user, attributes


def _told(key: str, found: Evaluation) -> dict[str, object]:
    """One evaluation in the protocol's words; without a value, the caller's own default counts."""
    if found.error_code is not None:
        return {"key": key, "errorCode": found.error_code, "errorDetails": found.error_message}
    told: dict[str, object] = {"key": key, "reason": found.reason}
    return told if found.variant is None else told | {"variant": found.variant, "value": found.value}


def _json(body: object, status: int) -> Response:
    return Response(msgspec.json.encode(body), status, media_type=_JSON)


def _tagged(request: Request, body: bytes) -> Response:
    """The body under its ETag, or 304 for a caller that has it (RFC 9110, 13.1.2: compared weakly)."""
    tag = tag_of(body)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if is_known(tag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers=headers, media_type=_JSON)
