"""How an API says no: ``application/problem+json`` (RFC 9457) with ADX's own members.

::

    {"type": "urn:adx:problem:id-taken", "title": "Conflict", "status": 409,
     "detail": "…", "next_step": "…", "request_id": "…", "errors": [{"at": "body.id", "message": "…"}]}

``type`` is ``about:blank`` where the status says all there is to say (RFC 9457, 4.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from policies.errors import AdxError
from workflows.errors import AdxConnectionError, AdxTimeoutError
from workflows.ledger.errors import LedgerBusy, LedgerFailed

MEDIA_TYPE = "application/problem+json"
BLANK = "about:blank"
RETRY_AFTER_SECONDS = 5

REQUEST_ID = "X-Request-Id"

_UNAVAILABLE = AdxConnectionError | AdxTimeoutError | LedgerBusy | LedgerFailed


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong in a request; ``at`` is its place (``body.target_version``)."""

    at: str
    message: str


class Refusal(AdxError):
    """An answer that is no result. ``kind`` names it (``id-taken``); empty where the status says all."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        next_step: str = "",
        kind: str = "",
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, next_step=next_step)
        self.status = status
        self.kind = kind
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def answer_of(refusal: Refusal, request_id: str = "") -> Response:
    """The response that carries ``refusal``."""
    body = {
        "type": f"urn:adx:problem:{refusal.kind}" if refusal.kind else BLANK,
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": str(refusal),
        "next_step": refusal.next_step,
        "request_id": request_id,
        "errors": refusal.faults,
    }
    shown = {name: value for name, value in body.items() if value not in ("", ())}
    headers = {"Cache-Control": "no-store", **refusal.headers, **({REQUEST_ID: request_id} if request_id else {})}
    return Response(msgspec.json.encode(shown), refusal.status, headers, MEDIA_TYPE)


def refusal_of(error: AdxError) -> Refusal:
    """An expected error of ADX as a refusal: 503 when something is away and will be back, else 422."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, _UNAVAILABLE):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Refusal(503, str(error), next_step=error.next_step, headers=headers)
    return Refusal(422, str(error), next_step=error.next_step)
