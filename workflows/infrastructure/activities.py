"""The steps that touch a stack: snapshot, plan, apply, repair, verify the restore."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager

from temporalio import activity

from infra.engine import Applied as EngineApplied
from infra.engine import Engine, OnEvent, Plan, Progress
from policies.desired_state import DesiredState
from policies.placement import part_of
from workflows.bodies import SnapshotManifest
from workflows.errors import RestoreNotVerified
from workflows.infrastructure.models import (
    Applied,
    ApplyRequest,
    PlanMade,
    PlanRequest,
    RestoreRequest,
    RestoreVerified,
    SnapshotRequest,
    SnapshotTaken,
    StackLease,
)
from workflows.infrastructure.occupied import refuse_occupied
from workflows.infrastructure.plan import differing_objects
from workflows.ledger import Ledger, fencing, rollouts
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey, round_of_restore

FENCE_INTERVAL_SECONDS = 2.0
LOCK_INTERVAL_SECONDS = 1.0


class InfrastructureActivities:
    """Steps on the Pulumi stack of an environment and on the cluster behind it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def snapshot(self, request: SnapshotRequest) -> SnapshotTaken:
        """Take the environment's lease, then keep what would restore it: inputs, exported state, live digests."""

        async def work(report: Report) -> SnapshotTaken:
            token = await fencing.acquire(self._runtime.ledger, request.environment, request.rollout_id)
            engine = self._runtime.engine(request.environment)
            state, live = await asyncio.gather(
                engine.export_state(),
                self._runtime.cluster.live_digests(request.environment, _kinds_of_units(request.cells)),
            )
            exported = await self._runtime.store.put(state, owner=request.environment)
            manifest = SnapshotManifest(
                environment=request.environment,
                rollout_id=request.rollout_id,
                base_state=request.base_state,
                exported_state=exported,
                live=live,
                cells=request.cells,
            )
            digest = await self._runtime.bodies.put(manifest, request.environment)
            await self._record_bodies(request, digest, exported)
            objects = sum(map(len, live.values()))
            report(f"{objects} objects, {digest[:12]}")
            lease = StackLease(request.environment, request.rollout_id, token)
            return SnapshotTaken(lease, digest, objects)

        key = StepKey(request.rollout_id, request.environment, "snapshot", request.base_state or "nothing")
        return await self._runtime.steps.run(key, SnapshotTaken, work)

    @activity.defn
    async def plan(self, request: PlanRequest) -> PlanMade:
        """Preview the desired state; the plan's body goes into the snapshot store."""

        async def work(report: Report) -> PlanMade:
            desired = await self._state(request.lease.environment, request.desired_state)
            plan = await self._runtime.engine(request.lease.environment).preview(desired, on_event=telling(report))
            body = await self._runtime.bodies.put(plan, request.lease.environment)
            await rollouts.describe(self._runtime.ledger, request.lease.rollout_id, plan_digest=body)
            report(plan_line(plan))
            return PlanMade(body, plan.creates, plan.updates, plan.replaces, plan.deletes, plan.same)

        key = StepKey(request.lease.rollout_id, request.lease.environment, "plan", request.desired_state)
        return await self._runtime.steps.run(key, PlanMade, work)

    @activity.defn
    async def apply(self, request: ApplyRequest) -> Applied:
        """Make the stack what the desired state says. Refused once another rollout holds the environment.

        Raises NamespaceOccupied: between validation and here an approval may have been waited for.
        """

        async def work(report: Report) -> Applied:
            desired = await self._state(request.lease.environment, request.desired_state)
            engine = self._runtime.engine(request.lease.environment)
            async with self._fenced(request.lease):
                repaired = 0
                if request.is_restore or activity.info().attempt > 1:
                    repaired = await repair_stack(engine, report)
                if not request.is_restore:
                    await self._refuse_occupied(request.lease.rollout_id, desired)
                done = await engine.up(desired, refresh=request.refresh, on_event=telling(report))
            report(f"{done.creates} created, {done.updates} updated, {done.replaces} replaced, {done.deletes} deleted")
            return _applied(done, repaired)

        name = "reapply" if request.is_restore else "apply"
        content = f"{request.desired_state or 'nothing'}{'+refresh' if request.refresh else ''}"
        if request.is_restore:
            content += round_of_restore(request.round_number)
        key = StepKey(request.lease.rollout_id, request.lease.environment, name, content)
        return await self._runtime.steps.run(key, Applied, work)

    @activity.defn
    async def repair(self, request: RestoreRequest) -> int:
        """Settle what a crash left behind: a dead owner's lock, operations that never finished. Returns how many."""

        async def work(report: Report) -> int:
            engine = self._runtime.engine(request.lease.environment)
            async with self._fenced(request.lease):
                count = await repair_stack(engine, report)
            report(f"{count} pending operation(s) repaired")
            return count

        content = f"{request.snapshot}{round_of_restore(request.round_number)}"
        key = StepKey(request.lease.rollout_id, request.lease.environment, "repair", content)
        return await self._runtime.steps.run(key, int, work)

    @activity.defn
    async def verify_restore(self, request: RestoreRequest) -> RestoreVerified:
        """Compare the cluster with the snapshot, object by object.

        An object that had drifted before the rollout is back at its declared
        form rather than at the drift; that counts as restored, and is named.
        Raises RestoreNotVerified when anything else differs.
        """

        async def work(report: Report) -> RestoreVerified:
            environment = request.lease.environment
            manifest = await self._runtime.bodies.get(request.snapshot, SnapshotManifest, environment)
            live = await self._runtime.cluster.live_digests(environment, _kinds_of_units(manifest.cells))
            differing = differing_objects(manifest.live, live)
            if differing:
                await self._check_declared(environment, manifest.base_state, differing)
            objects = sum(map(len, live.values()))
            report(f"{objects} objects compared with snapshot {request.snapshot[:12]}")
            return RestoreVerified(objects, tuple(differing))

        content = f"{request.snapshot}{round_of_restore(request.round_number)}"
        key = StepKey(request.lease.rollout_id, request.lease.environment, "verify", content)
        return await self._runtime.steps.run(key, RestoreVerified, work)

    async def _record_bodies(self, request: SnapshotRequest, snapshot: str, exported_state: str) -> None:
        """Name the bodies in the ledger, where retention finds them."""
        known = await rollouts.find(self._runtime.ledger, request.rollout_id)
        bodies = {"snapshot": snapshot, "exported_state": exported_state, "base_state": request.base_state}
        change_set = {**(known.change_set or {}), **bodies}
        await rollouts.describe(self._runtime.ledger, request.rollout_id, change_set=change_set)

    async def _refuse_occupied(self, rollout_id: str, desired: DesiredState) -> None:
        known = await rollouts.find(self._runtime.ledger, rollout_id)
        base = (known.change_set or {}).get("base_state")
        previous = await self._state(desired.environment, str(base)) if base else None
        await refuse_occupied(self._runtime.cluster, previous, desired)

    async def _check_declared(self, environment: str, base_state: str | None, differing: list[str]) -> None:
        base = await self._state(environment, base_state or "")
        plan = await self._runtime.engine(environment).preview(base, refresh=True)
        if not plan.is_empty:
            shown = ", ".join(differing[:5])
            raise RestoreNotVerified(
                f"after the restore {len(differing)} object(s) differ from the snapshot: {shown}",
                next_step=f"compare with `adx show`, mend the cluster, then run `adx restore {environment}`",
            )

    async def _state(self, environment: str, digest: str) -> DesiredState:
        """What the environment's own stack is to hold; tenants in cells are delivered by themselves."""
        if not digest:
            return DesiredState(environment=environment, commit="", units=())
        return part_of(await self._runtime.bodies.get(digest, DesiredState, environment), environment)

    def _fenced(self, lease: StackLease) -> AbstractAsyncContextManager[None]:
        return fenced(self._runtime.ledger, lease)


@contextlib.asynccontextmanager
async def fenced(ledger: Ledger, lease: StackLease) -> AsyncIterator[None]:
    """Run a block only while this attempt is the newest holder of the environment; else cancel it."""
    info = activity.info()
    attempt = f"{info.workflow_id}.{info.workflow_run_id}.{info.activity_id}.{info.attempt}"
    token = await fencing.renew(ledger, lease.environment, lease.rollout_id, attempt)

    async def watch() -> None:
        while True:
            await asyncio.sleep(FENCE_INTERVAL_SECONDS)
            await fencing.check(ledger, lease.environment, token)

    async with cancelled_when(watch()):
        yield


def _kinds_of_units(cells: int) -> tuple[str, ...] | None:
    """The kinds of units that live in the environment's own stack; None for all."""
    return ("platform", "service") if cells else None


async def repair_stack(engine: Engine, report: Report) -> int:
    """Wait for a living owner of the stack's lock, clear a dead one's, settle pending operations; returns how many."""
    while owners := await engine.cancel_lock():
        named = ", ".join(str(owner) for owner in owners if owner is not None)
        report(f"waiting for the stack's lock, held by {named or 'an unreadable owner'}")
        await asyncio.sleep(LOCK_INTERVAL_SECONDS)
    if await engine.pending_operations() == 0:
        return 0
    return (await engine.repair()).pending


@contextlib.asynccontextmanager
async def cancelled_when(watch: Awaitable[None]) -> AsyncIterator[None]:
    """Run a block; when ``watch`` raises, the block is cancelled and that error raised instead."""
    block = asyncio.current_task()
    assert block is not None  # noqa: S101 - a coroutine always runs in a task
    watching = asyncio.ensure_future(watch)
    watching.add_done_callback(lambda task: None if task.cancelled() else block.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if watching.done() and not watching.cancelled() and (error := watching.exception()) is not None:
            block.uncancel()
            raise error from None
        raise
    finally:
        watching.cancel()


def telling(report: Report) -> OnEvent:
    """Puts the engine's progress into the report: how many resources are done, and the newest."""
    done: set[str] = set()

    def on_event(progress: Progress) -> None:
        if progress.state == "done":
            done.add(progress.urn)
        if progress.state != "message":
            report(f"{len(done)} done; {progress.action} {progress.name}")

    return on_event


def plan_line(plan: Plan) -> str:
    """A plan in one line."""
    return (
        f"{plan.creates} to create, {plan.updates} to update, {plan.replaces} to replace, {plan.deletes} to delete, "
        f"{plan.same} unchanged"
    )


def _applied(done: EngineApplied, repaired: int) -> Applied:
    return Applied(done.creates, done.updates, done.replaces, done.deletes, done.same, repaired)
