"""The routes: ask the starter, within what the caller may see.

An operation beyond that is "not found", as one that does not exist: whoever may
not see it is not told that it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as PathParameter

from pipelines.api.claims import body_of, check_same
from pipelines.api.limits import LARGEST_PAGE, LONGEST_WAIT_SECONDS, PAGE
from pipelines.api.starter import Claim, Filter, MigrationStarter
from pipelines.api.tokens import Caller, Role
from pipelines.api.wire import MigrationAsked, Name, Operation, OperationId, Operations, Started, Status
from pipelines.http.problems import Fault, Refusal
from pipelines.http.tags import is_known, tag_of

LOOK_SECONDS = 2.0  # for what is between begin and end; the end itself is told at once
Result = TypeVar("Result")
Id = Annotated[OperationId, PathParameter(description="What the migration was started with.")]


class Routes:
    """The API's methods. ``stopping`` ends waits, so that the server can."""

    def __init__(self, starter: MigrationStarter, stopping: asyncio.Event) -> None:
        self._starter = starter
        self._stopping = stopping

    async def start(self, request: Request, asked: MigrationAsked) -> Started:
        """Bring a database's schema, of one tenant or of all, to a version.

        The same id with the same body is the same operation, however often it is sent.
        """
        caller = _caller(request, "migrate")
        claim = await self._starter.claimed(asked.id)
        if claim is None:
            _check_scope(caller, asked)
            meant = await self._starter.resolve(asked, caller.scope)
            mine = Claim(asked=body_of(asked), meant=meant, requested_by=f"api:{caller.name}")
            claim = await self._starter.claim(mine)
        check_same(claim, asked, caller.scope)
        await self._starter.start(claim)
        return Started(operation_id=claim.meant.id)

    async def operation(
        self,
        request: Request,
        response: Response,
        operation_id: Id,
        wait: Annotated[
            int,
            Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for news, with If-None-Match."),
        ] = 0,
        until: Annotated[
            Literal["news", "over"], Query(description="What is waited for; `over` needs no If-None-Match.")
        ] = "news",
    ) -> Operation | Response:
        """An operation and how far it is.

        With If-None-Match it answers when something changed, or 304 after `wait` seconds, or at once when it is over.
        With `until=over` it answers only then, or after `wait` seconds as it is.
        """
        caller, known = _caller(request, "read"), request.headers.get("if-none-match", "")
        give_up_at = asyncio.get_running_loop().time() + wait
        found = await self._seen_by(caller, operation_id)
        while True:
            tag = tag_of(found.model_dump_json().encode())
            is_late = asyncio.get_running_loop().time() >= give_up_at
            is_news = until == "news" and not is_known(tag, known)
            if is_news or found.is_over or is_late or self._stopping.is_set():
                break
            look_seconds = LOOK_SECONDS if until == "news" else LONGEST_WAIT_SECONDS
            await self._news(operation_id, give_up_at, look_seconds)
            # A look takes seconds where no worker answers: the server would end before it, and with it the answer.
            found = await self._unless_stopping(self._seen_by(caller, operation_id)) or found
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
        if is_known(tag, known):
            return Response(status_code=304, headers=headers)
        response.headers.update(headers)
        return found

    async def operations(
        self,
        request: Request,
        *,
        status: Status | None = None,
        environment: Name | None = None,
        database: Name | None = None,
        tenant_id: Name | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
        after: Annotated[OperationId | None, Query(description="`next` of the page before.")] = None,
    ) -> Operations:
        """Operations that the caller may see, newest first."""
        caller = _caller(request, "read")
        if after is not None:
            await self._seen_by(caller, after)
        asked = Filter(
            status=status,
            environment=environment,
            database=database,
            tenant_id=tenant_id,
            limit=limit,
            after=after or "",
            scope=caller.scope,
        )
        page = await self._starter.find(asked)
        return Operations(operations=page.operations, next=page.after or None)

    async def cancel(self, request: Request, operation_id: Id) -> Operation:
        """Stop an operation, and take back what it did. One that is over stays as it is."""
        caller = _caller(request, "admin")
        found = await self._seen_by(caller, operation_id)
        if not found.is_over:
            await self._starter.cancel(operation_id, f"api:{caller.name}")
        return await self._seen_by(caller, operation_id)

    async def _seen_by(self, caller: Caller, operation_id: str) -> Operation:
        found = await self._starter.state(operation_id)
        if found is None or not caller.scope.covers(found.environment, found.tenant_id):
            raise Refusal(404, f"there is no operation {operation_id}", next_step="GET /api/operations lists them")
        return found

    async def _news(self, operation_id: str, give_up_at: float, look_seconds: float) -> None:
        """Until there may be something new, it is too late, or the server ends."""
        left_seconds = max(0.0, give_up_at - asyncio.get_running_loop().time())
        await self._unless_stopping(self._starter.news(operation_id, min(look_seconds, left_seconds)))

    async def _unless_stopping(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """What ``work`` gives, and raises; None where the server ends before."""
        task, stopping = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stopping.cancel()


async def check_parameters(request: Request) -> None:
    """Raises Refusal for a parameter that is unknown or there twice: a misspelt filter would else find everything.

    What was sent is not repeated, it may be a secret in the wrong place.
    """
    known = sorted(field.alias for field in request.scope["route"].dependant.query_params)
    sent = [name for name, _ in request.query_params.multi_items()]
    if set(sent) <= set(known) and len(sent) == len(set(sent)):
        return
    what = f"takes {', '.join(known)}, each at most once" if known else "takes no query parameters"
    raise Refusal(
        422,
        f"the request is not what it should be: query: this path {what}",
        next_step="compare it with /openapi.json",
        faults=[Fault("query", what)],
    )


def router(starter: MigrationStarter, stopping: asyncio.Event) -> APIRouter:
    """The routes under ``/api``."""
    routes, made = Routes(starter, stopping), APIRouter(prefix="/api", dependencies=[Depends(check_parameters)])
    made.post("/migrations", operation_id="startMigration", summary="Start a migration")(routes.start)
    one, unset = "/operations/{operation_id}", {"response_model": Operation}
    made.get(one, operation_id="getOperation", summary="Look at an operation", **unset)(routes.operation)  # type: ignore[arg-type] # one keyword
    made.get("/operations", operation_id="listOperations", summary="List operations")(routes.operations)
    made.post(f"{one}/cancel", operation_id="cancelOperation", summary="Stop an operation")(routes.cancel)
    return made


def _caller(request: Request, role: Role) -> Caller:
    """The caller, who has at least ``role``."""
    caller: Caller = request.state.authority
    if not caller.may(role):
        raise _not_allowed(caller, f"do this: it takes the role {role}")
    return caller


def _check_scope(caller: Caller, asked: MigrationAsked) -> None:
    """Before anything is looked up: who may not ask about a name is not told whether it is known."""
    scope = caller.scope
    if not scope.covers_tenant(asked.tenant_id):
        raise _not_allowed(caller, f"migrate {asked.tenant_id or 'every tenant'}")
    if asked.environment is not None and not scope.covers_environment(asked.environment):
        raise _not_allowed(caller, f"migrate in {asked.environment}")


def _not_allowed(caller: Caller, what: str) -> Refusal:
    return Refusal(
        403,
        f"{caller.name} ({caller.role}) may not {what}",
        next_step="ask for a token that may; `adx api token --help` tells of roles",
        faults=[Fault("header.Authorization", f"role {caller.role}")],
    )
