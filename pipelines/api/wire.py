"""What goes over the wire: requests and answers, as the OpenAPI document shows them.

Times are ISO 8601 in UTC; None while a thing has not happened.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
OperationId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Count = Annotated[int, Field(ge=0)]
# JSON knows no integers, so to its schemas 3.0 is one.
Version = Annotated[int, Field(ge=0, le=9999), BeforeValidator(lambda given: int(given) if _is_whole(given) else given)]
Status = Literal["waiting", "running", "succeeded", "failed", "rolled_back", "cancelled", "needs_operator"]
StepStatus = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped"]

UNDER_WAY: tuple[Status, ...] = ("waiting", "running")


def _is_whole(given: object) -> bool:
    return isinstance(given, float) and given.is_integer()


class Wire(BaseModel):
    """Immutable. An answer may get more members with time; whoever reads one must bear that."""

    model_config = ConfigDict(frozen=True, strict=True)


class MigrationAsked(Wire):
    """One migration: bring a database's schema, of one tenant or of all, to a version. Unknown members are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: Annotated[
        OperationId,
        Field(description="Yours: the same id with the same body is the same operation.", examples=["release-2026-11"]),
    ]
    target_version: Annotated[Version, Field(description="The version to be at afterwards.", examples=[3])]
    tenant_id: Annotated[
        Name | None, Field(description="Left out: every tenant of the environment.", examples=["acme"])
    ] = None
    environment: Annotated[
        Name | None, Field(description="May be left out where only one is possible.", examples=["staging"])
    ] = None
    database: Annotated[
        Name | None, Field(description="The folder of scripts; may be left out likewise.", examples=["shop"])
    ] = None


class Started(Wire):
    """The operation that does it; the same one however often it is asked for."""

    status: Literal["started"] = "started"
    operation_id: OperationId


class Step(Wire):
    """One step of an operation."""

    name: str
    status: StepStatus
    message: str = ""
    started_at: str | None = None
    ended_at: str | None = None


class Tenants(Wire):
    """How many schemas are how far; the sum of the others is ``total``."""

    total: Count = 0
    waiting: Count = 0
    running: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    rolled_back: Count = 0
    skipped: Count = 0


class Progress(Wire):
    """How far an operation is. ``percent`` is 100 only when it is over."""

    percent: Annotated[int, Field(ge=0, le=100)] = 0
    message: str = ""
    steps: tuple[Step, ...] = ()
    tenants: Tenants = Tenants()


class Failure(Wire):
    """Why it did not succeed, and what to do."""

    message: str
    next_step: str = ""


class Operation(Wire):
    """One operation, running or ended."""

    operation_id: OperationId
    status: Status
    is_over: bool
    environment: str
    database: str
    tenant_id: str | None = None
    target_version: int
    requested_by: str
    started_at: str | None = None
    ended_at: str | None = None
    progress: Progress = Progress()
    failure: Failure | None = None


class Operations(Wire):
    """Operations, newest first. ``next`` is the ``after`` of those that follow; None at the end."""

    operations: tuple[Operation, ...]
    next: OperationId | None = None


class ProblemAt(Wire):
    """One thing wrong in a request."""

    at: str
    message: str


class Problem(Wire):
    """Why there is no result (RFC 9457)."""

    type: Annotated[str, Field(description="about:blank, or urn:adx:problem:… where the status is not all.")]
    title: str
    status: int
    detail: str
    next_step: str = ""
    request_id: str = ""
    errors: tuple[ProblemAt, ...] = ()
