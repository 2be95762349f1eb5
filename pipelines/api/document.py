"""The OpenAPI document: FastAPI's, with the tokens, and with problems instead of FastAPI's own errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pipelines.api.wire import Problem
from pipelines.http.problems import MEDIA_TYPE

PLACE = Path("docs/api/openapi.json")
_DESCRIPTION = "Start database migrations and follow them. Every error is application/problem+json (RFC 9457)."
_MEANINGS = {
    400: "The request cannot be read.",
    401: "There is no token, or nobody has it.",
    403: "The token's role or scope does not allow it.",
    404: "There is no such thing, or the token may not see it.",
    409: "The id stands for another request; `errors` says what differs.",
    413: "The body is too large.",
    422: "The request is read and is not what it should be; `errors` says where.",
    429: "Too many requests; see Retry-After.",
    500: "A defect in ADX.",
    503: "The ledger or Temporal is away; see Retry-After.",
}
_EVERYWHERE = (400, 401, 403, 422, 429, 500, 503)
_MORE = {
    "startMigration": (404, 409, 413),
    "getOperation": (404,),
    "listOperations": (404,),
    "cancelOperation": (404, 413),
}
_NEWS = {
    "description": "Nothing changed since the answer that had this ETag.",
    "headers": {"ETag": {"schema": {"type": "string"}}},
}


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _complete(
            get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
        )
    return app.openapi_schema


def text_of(app: FastAPI) -> str:
    """The document as it lies in the repository."""
    return json.dumps(document_of(app), indent=2, ensure_ascii=False) + "\n"


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= {**schema.pop("$defs", {}), "Problem": schema}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for methods in document["paths"].values():
        for operation in methods.values():
            _complete_operation(operation)
    return document


def _complete_operation(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    operation["security"] = [{"token": []}]
    responses = operation["responses"]
    for status in sorted((*_EVERYWHERE, *_MORE[name])):
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if name == "getOperation":
        responses["304"] = _NEWS
        responses["200"]["headers"] = _NEWS["headers"]
        operation["parameters"].append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "The ETag of the answer that is known.",
            }
        )
    operation["responses"] = dict(sorted(responses.items()))
