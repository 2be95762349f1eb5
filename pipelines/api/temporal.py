"""Migrations as workflows, for the API: claimed in the ledger, run by Temporal, told by both.

The ledger decides which request an id stands for; Temporal, which runs at most
one workflow of a name at a time, that two servers which start the same start it
once. An operation outlives its workflow's history: its end is kept in the ledger
when it is first seen, and its runs are there anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from pipelines.api import claims, stories
from pipelines.api.kinds import SOURCE, kind_of
from pipelines.api.meaning import meant_by
from pipelines.api.starter import Claim, Filter, Meant, Page, Scope
from pipelines.api.wire import MigrationAsked, Operation
from pipelines.settings import Settings
from policies.desired_state import DesiredState
from workflows.bodies import Bodies
from workflows.connection import connect
from workflows.errors import AdxConnectionError
from workflows.ledger import Ledger, audit, environments
from workflows.ledger import migrations_targets as rows
from workflows.ledger.models import AuditEntry
from workflows.snapshots import open_store

PREFIX = "adx-migration-"
ROWS_LOOKED_AT = 1_000
STATES_AT_ONCE = 16
NO_WORKER = "no worker answers; `adx worker` runs one"


class TemporalStarter:
    """A ``MigrationStarter``. Connects to Temporal when it is first needed."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._bodies = Bodies(open_store(settings.values))
        self._states: dict[str, DesiredState] = {}
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def check_temporal(self) -> None:
        """Return when Temporal serves."""
        if not await (await self._temporal()).service_client.check_health():
            raise AdxConnectionError("Temporal does not serve")

    async def claimed(self, operation_id: str) -> Claim | None:
        """What the id stands for."""
        return (await claims.look(self._ledger, operation_id))[0]

    async def resolve(self, asked: MigrationAsked, scope: Scope) -> Meant:
        """From what is delivered now."""
        return meant_by(asked, await self._delivered(), scope)

    async def claim(self, claim: Claim) -> Claim:
        """Take the id in the ledger. Raises Refusal 409 for one that is forgotten and has changed databases."""
        # The ledger keeps runs, and what brings them back, by operation and for ever. Asked second: another server may
        # have taken the id just now, and begun.
        if await rows.runs_of(self._ledger, PREFIX + claim.meant.id) and await self.claimed(claim.meant.id) is None:
            raise claims.used_before(claim.meant.id)
        return await claims.record(self._ledger, claim)

    async def start(self, claim: Claim) -> None:
        """Start the workflow, unless it was started ever."""
        name = claim.meant.id
        if claim.is_started:
            return
        client = await self._temporal()
        # Another server, or this one before it could write that down, may have started it.
        with suppress(WorkflowAlreadyStartedError), _translated():
            await kind_of(claim).start(client, claim, PREFIX + name, self._settings.task_queue)
        await claims.mark_started(self._ledger, name)

    async def state(self, operation_id: str) -> Operation | None:
        """From the workflow; from the ledger once Temporal has forgotten it."""
        claim, ended = await claims.look(self._ledger, operation_id)
        if claim is None or ended is not None:
            return ended
        return await self._story(claim)

    async def news(self, operation_id: str, within_seconds: float) -> None:
        """Temporal tells of the end; nobody is asked again and again for it."""
        handle = (await self._temporal()).get_workflow_handle(PREFIX + operation_id)
        begun = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(handle.result(), within_seconds)
        except (TimeoutError, WorkflowFailureError):
            return
        except RPCError:
            left_seconds = within_seconds - (asyncio.get_running_loop().time() - begun)
            await asyncio.sleep(max(0.0, left_seconds))

    async def find(self, asked: Filter) -> Page:
        """From the claims in the ledger; of each the state as it is now."""
        last = (await claims.look(self._ledger, asked.after))[0] if asked.after else None
        found: list[Operation] = []
        for _ in range(max(1, ROWS_LOOKED_AT // asked.limit)):
            page = await claims.newest(self._ledger, asked, last, asked.limit)
            for claim, operation in zip(page, await self._stories(page), strict=True):
                last = claim
                if asked.status in (None, operation.status):
                    found.append(operation)
                if len(found) == asked.limit:
                    return Page(operations=tuple(found), after=claim.meant.id)
            if len(page) < asked.limit:
                return Page(operations=tuple(found))
        return Page(operations=tuple(found), after=last.meant.id if last is not None else "")

    async def cancel(self, operation_id: str, requested_by: str) -> None:
        """It ends what it runs on the server, and takes back what it did."""
        claim, ended = await claims.look(self._ledger, operation_id)
        if claim is None or ended is not None:
            return
        await audit.append(self._ledger, _cancelled(claim, requested_by))
        try:
            with _translated():
                await kind_of(claim).cancel(await self._temporal(), PREFIX + operation_id, requested_by)
        except _Forgotten:
            if not claim.is_started:
                raise
            # It has ended, and nobody had seen that yet.

    async def _stories(self, page: tuple[Claim, ...]) -> list[Operation]:
        known = await claims.look_at(self._ledger, [claim.meant.id for claim in page])
        places = asyncio.Semaphore(STATES_AT_ONCE)

        async def story(listed: Claim) -> Operation:
            claim, ended = known.get(listed.meant.id, (listed, None))
            if ended is not None:
                return ended
            async with places:
                return await self._story(claim)

        return await asyncio.gather(*(story(claim) for claim in page))

    async def _story(self, claim: Claim) -> Operation:
        client = await self._temporal()
        try:
            with _translated():
                found = await client.get_workflow_handle(PREFIX + claim.meant.id).describe()
        except _Forgotten:
            return await self._without_workflow(claim)
        if found.status == WorkflowExecutionStatus.RUNNING:
            return await self._running(client, claim, found)
        operation = await self._ended(client, claim, found)
        if operation.progress.tenants.total:
            await claims.record_ended(self._ledger, operation)
        return operation

    async def _running(self, client: Client, claim: Claim, found: WorkflowExecutionDescription) -> Operation:
        try:
            return await kind_of(claim).running(client, claim, found.id, await _line(found))
        except RPCError:
            return stories.waiting(claim, NO_WORKER)

    async def _ended(self, client: Client, claim: Claim, found: WorkflowExecutionDescription) -> Operation:
        kind, ended_at = kind_of(claim), found.close_time.isoformat() if found.close_time is not None else ""
        try:
            with _translated():
                return await kind.ended(client, claim, found.id, ended_at)
        except WorkflowFailureError as error:
            # A workflow tells every end by itself; one that was terminated, or that a defect ended, cannot.
            return kind.broken(claim, f"the workflow ended without saying how: {error.cause}", ended_at)

    async def _without_workflow(self, claim: Claim) -> Operation:
        runs = await rows.runs_of(self._ledger, PREFIX + claim.meant.id)
        if not runs and not claim.is_started:
            return stories.waiting(claim, "not started: send the request again")
        return stories.of_runs(claim, runs)

    async def _delivered(self) -> dict[str, DesiredState]:
        """What every environment holds, by its name."""
        known = await environments.all_environments(self._ledger)
        digests = {one.name: one.delivered_state_digest for one in known if one.delivered_state_digest}
        self._states = {digest: state for digest, state in self._states.items() if digest in digests.values()}
        for name, digest in digests.items():
            if digest not in self._states:
                self._states[digest] = await self._bodies.get(digest, DesiredState, name)
        return {name: self._states[digest] for name, digest in digests.items()}

    async def _temporal(self) -> Client:
        async with self._connecting:
            if self._client is None:
                self._client = await connect(self._settings.values)
        return self._client


class _Forgotten(AdxConnectionError):
    """Temporal knows no such workflow (any more)."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise _Forgotten("Temporal knows no such workflow") from error
        raise AdxConnectionError(
            f"Temporal does not answer: {error.status.name}", next_step="try again; `adx status` says how it is"
        ) from error


def _cancelled(claim: Claim, requested_by: str) -> AuditEntry:
    """The wish, which is in the trail before it is followed; the same one asked again is one entry."""
    operation_id, meant = PREFIX + claim.meant.id, claim.meant
    return AuditEntry(
        key=f"migrations.cancel:{operation_id}:{claim.claimed_at}:{requested_by}",
        actor=audit.escape_name(requested_by),
        source=SOURCE,
        action="migrations.cancel",
        environment=meant.environment,
        detail={"operation_id": operation_id, "database": meant.database, "tenant": meant.tenant_id},
    )


async def _line(found: WorkflowExecutionDescription) -> str:
    """What the activity under way said last."""
    for pending in found.raw_description.pending_activities:
        details = await found.data_converter.decode(pending.heartbeat_details.payloads)
        if details and isinstance(details[0], str):
            return details[0]
    return ""
