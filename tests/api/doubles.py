"""A starter in memory, for what is about HTTP alone; the real one has tests of its own."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from pipelines.api.starter import Claim, Filter, Meant, Page, Scope
from pipelines.api.wire import MigrationAsked, Operation, Progress
from pipelines.http.problems import Refusal
from policies.errors import AdxError


class Remembering:
    """Starts nothing. ``error`` is raised by whatever is asked next; ``started`` holds the ids in their order."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.operations: dict[str, Operation] = {}
        self.started: list[str] = []
        self.cancelled: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.ends: dict[str, asyncio.Event] = {}

    async def claimed(self, operation_id: str) -> Claim | None:
        self._fail()
        return self.claims.get(operation_id)

    async def resolve(self, asked: MigrationAsked, scope: Scope) -> Meant:
        if asked.tenant_id == "nobody":
            raise Refusal(404, "there is no tenant nobody", kind="not-declared")
        return Meant(
            id=asked.id,
            environment=asked.environment or scope.environments[0].replace("*", "staging"),
            database=asked.database or "shop",
            tenant_id=asked.tenant_id or "",
            target_version=asked.target_version,
        )

    async def claim(self, claim: Claim) -> Claim:
        return self.claims.setdefault(claim.meant.id, claim)

    async def start(self, claim: Claim) -> None:
        meant = claim.meant
        if meant.id not in self.operations:
            self.started.append(meant.id)
            self.operations[meant.id] = Operation(
                operation_id=meant.id,
                status="running",
                is_over=False,
                environment=meant.environment,
                database=meant.database,
                tenant_id=meant.tenant_id or None,
                target_version=meant.target_version,
                requested_by=claim.requested_by,
            )

    async def state(self, operation_id: str) -> Operation | None:
        self._fail()
        return self.operations.get(operation_id)

    async def news(self, operation_id: str, within_seconds: float) -> None:
        if operation_id not in self.ends:
            self.ends[operation_id] = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ends[operation_id].wait(), within_seconds)

    async def find(self, asked: Filter) -> Page:
        found = [one for one in self.operations.values() if asked.scope.covers(one.environment, one.tenant_id)]
        return Page(operations=tuple(found[: asked.limit]))

    async def cancel(self, operation_id: str, requested_by: str) -> None:
        self.cancelled.append((operation_id, requested_by))
        self.end(operation_id)

    def end(self, operation_id: str) -> None:
        """The operation is over."""
        over = {"status": "succeeded", "is_over": True, "progress": Progress(percent=100)}
        self.operations[operation_id] = self.operations[operation_id].model_copy(update=over)
        self.ends.setdefault(operation_id, asyncio.Event()).set()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Lost(AdxError):
    """An expected error with a secret in its text."""


def replaced(claim: Claim, **changes: object) -> Claim:
    """The claim with some fields changed."""
    return msgspec.structs.replace(claim, **changes)
