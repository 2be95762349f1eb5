"""Who calls, and how often: decided before anything of a request is read.

Open to everybody are the probes and the OpenAPI document. Without tokens only
names of this machine are answered, so that no web page can reach the API through
a browser by a name of its own that leads here (DNS rebinding).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.api.limits import RateLimit
from pipelines.api.tokens import LOCAL, Caller, Known
from pipelines.http.bearer import CHALLENGE
from pipelines.http.listening import LOOPBACK
from pipelines.http.problems import Refusal, answer_of
from pipelines.http.requests import request_id_of

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})


class Guard:
    """ASGI middleware; leaves the caller in ``request.state.authority``."""

    def __init__(
        self, app: ASGIApp, known: Known, limit: RateLimit, now_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._known = known
        self._limit = limit
        self._now_seconds = now_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            caller = self._caller(Headers(scope=scope))
        except Refusal as refusal:
            await answer_of(refusal, request_id_of(scope))(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["authority"], state["caller"] = caller, caller.name
        await self._app(scope, receive, send)

    def _caller(self, headers: Headers) -> Caller:
        caller = self._known(headers.get("authorization"))
        if caller is None:
            raise Refusal(
                401,
                "a bearer token is needed" if "authorization" not in headers else "nobody has this token",
                next_step="send Authorization: Bearer <token>; `adx api token` makes one",
                headers=CHALLENGE,
            )
        if caller is LOCAL and not _is_local(headers.get("host", "")):
            raise Refusal(
                403, "without tokens only this machine is answered, by its own name", next_step="use 127.0.0.1"
            )
        wait_seconds = self._limit.wait_seconds(caller.name, self._now_seconds())
        if wait_seconds:
            raise Refusal(
                429,
                f"{caller.name} sends more than {self._limit.per_second:g} requests a second",
                next_step=f"try again in {wait_seconds} s; ask for a state with ?wait= instead of often",
                headers={"Retry-After": str(wait_seconds)},
            )
        return caller


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return bool(name) and name in LOOPBACK
