"""What happens to every request before its route sees it: a request id, a bound for its body, a line in the log.

The log holds method, path, status, caller and milliseconds: no query, no header, no body.
"""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.http.problems import REQUEST_ID, Refusal, answer_of
from workflows.telemetry import logs

QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Requests:
    """ASGI middleware. A body above ``limit_bytes`` is refused, by what is declared and by what arrives."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        begun, status = time.monotonic(), 500

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            with logs.bound(request=request_id):
                await self._bounded(scope, headers, receive, send_named)
        finally:
            _log(scope, request_id, status, time.monotonic() - begun)

    async def _bounded(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        too_large = f"the body is larger than {self._limit_bytes} bytes"
        declared = headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal() and int(declared) > self._limit_bytes:
            refusal = Refusal(413, too_large, headers={"Connection": "close"})
            await answer_of(refusal, request_id_of(scope))(scope, receive, send)
            return
        seen_bytes = 0

        async def counted() -> Message:
            nonlocal seen_bytes
            message = await receive()
            seen_bytes += len(message.get("body", b""))
            if seen_bytes > self._limit_bytes:
                raise HTTPException(413, too_large)  # the one kind of error that FastAPI lets pass here
            return message

        await self._app(scope, counted, send)


def request_id_of(scope: Scope) -> str:
    """The id of the request."""
    return str(scope.get("state", {}).get("request_id", ""))


def _request_id(headers: Headers) -> str:
    """The caller's own, where it is harmless in a log; else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _log(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    if scope["path"] in QUIET_PATHS:
        return
    logs.logger().info(
        "request",
        request=request_id,
        method=scope["method"],
        path=scope["path"][:200],
        status=status,
        caller=scope.get("state", {}).get("caller", ""),
        milliseconds=round(seconds * 1000),
    )
