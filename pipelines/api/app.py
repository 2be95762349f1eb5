"""The application: routes behind the guard, every error as ``problem+json``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipelines.api.document import document_of, text_of
from pipelines.api.guard import Guard
from pipelines.api.limits import LARGEST_BODY_BYTES, RateLimit
from pipelines.api.routes import router
from pipelines.api.starter import MigrationStarter
from pipelines.api.tokens import Known, anybody
from pipelines.http.problems import Fault, Refusal, answer_of, refusal_of
from pipelines.http.requests import Requests, request_id_of
from policies.errors import AdxError
from workflows.telemetry import logs, probes
from workflows.telemetry.redaction import Redactor

_FAULTS_SHOWN = 20


def application(
    starter: MigrationStarter,
    known: Known,
    *,
    checks: Mapping[str, probes.Check] | None = None,
    redactor: Redactor | None = None,
    limit: RateLimit | None = None,
    stopping: asyncio.Event | None = None,
) -> FastAPI:
    """The routes of the API and the probes. ``stopping`` ends long waits."""
    app = FastAPI(title="ADX", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(router(starter, stopping or asyncio.Event()))
    app.router.routes.extend(probes.routes(checks or {}))
    _add_handlers(app, redactor or Redactor())
    app.add_middleware(Guard, known=known, limit=limit or RateLimit.of())
    app.add_middleware(Requests, limit_bytes=LARGEST_BODY_BYTES)
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


def document_text() -> str:
    """The OpenAPI document as it lies in the repository."""
    nobody = cast("MigrationStarter", None)  # the document is about routes: none is called
    return text_of(application(nobody, anybody))


def _add_handlers(app: FastAPI, redactor: Redactor) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        refusal = _refusal_of(error)
        clean = Refusal(
            refusal.status,
            redactor.line(str(refusal)),
            next_step=redactor.line(refusal.next_step),
            kind=refusal.kind,
            faults=[Fault(redactor.line(one.at), redactor.line(one.message)) for one in refusal.faults],
            headers=refusal.headers,
        )
        return answer_of(clean, request_id_of(request.scope))

    for kind in (AdxError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, refused)


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, AdxError):
        return refusal_of(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _http(error)
    logs.logger().error("a defect of the API", exc_info=error)
    return Refusal(500, "a defect in ADX", next_step="its log has the reason, by the request id")


def _invalid(error: RequestValidationError) -> Refusal:
    """Places and reasons; never what was sent, which may be a secret in the wrong place."""
    faults = [Fault(".".join(map(str, one["loc"])), str(one["msg"])) for one in error.errors()[:_FAULTS_SHOWN]]
    detail = f"the request is not what it should be: {faults[0].at}: {faults[0].message}" if faults else "not valid"
    return Refusal(422, detail, next_step="compare it with /openapi.json", faults=faults)


def _http(error: HTTPException) -> Refusal:
    steps = {404: "the paths are in /openapi.json", 405: "see the header Allow"}
    step = steps.get(error.status_code, "compare the request with /openapi.json")
    return Refusal(error.status_code, str(error.detail), next_step=step, headers=dict(error.headers or {}))
