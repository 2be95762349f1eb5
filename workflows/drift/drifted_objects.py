"""The objects that a heal puts back, and undoes where they do not hold: looked at and written in the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from policies.desired_state import DesiredState
from policies.infrastructure.spec import DriftRules
from workflows.clients.kubernetes.errors import ClusterRefused
from workflows.clients.kubernetes.normalise import object_id
from workflows.clients.kubernetes.turns import some_at_once
from workflows.drift.bodies import HealedObject, HealSnapshotBody
from workflows.drift.heal_objects import is_same, namespaces_first, not_as_before
from workflows.drift.healing import HealPlan, ObjectHeal, heal_plan
from workflows.drift.look import look
from workflows.drift.models import HealApply, HealDone
from workflows.drift.owners import own_manager
from workflows.errors import AdxValidationError, RestoreNotVerified
from workflows.runtime import Runtime
from workflows.step_runner import Report

ROUNDS = 3
UNDONE_WITHIN_SECONDS = 60.0
UNDONE_INTERVAL_SECONDS = 0.5
UNDOING_MANAGER = "adx-undo-heal"


class HealFailed(AdxValidationError):
    """The cluster does not take what was delivered, or somebody changes it again at once."""

    exit_code = 4


class DriftedObjects:
    """Those of one environment; nothing here looks at who may write (see ``fenced``)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def plan(self, environment: str, state: str, units: list[str], rules: DriftRules) -> HealPlan:
        """What of ``units`` differs now from ``state``, the digest of what was delivered, and may be put back."""
        runtime = self._runtime
        desired = await runtime.bodies.get(state, DesiredState, environment)
        declared = desired.by_id()
        known = [unit for unit in units if unit in declared]
        seen = await look(desired, runtime.engine, runtime.cluster, units=known)
        # Of thousands of objects: heartbeats must go on.
        return await asyncio.to_thread(heal_plan, seen, frozenset(known), rules.leave_to)

    async def put_back(
        self, request: HealApply, snapshot: HealSnapshotBody, rules: DriftRules, report: Report
    ) -> HealDone:
        """Put back what differs, look again, and so on: what holds, what is left alone, what cannot be put back."""
        refused: dict[str, str] = {}
        for _ in range(ROUNDS):
            plan = await self.plan(request.lease.environment, request.state, request.units, rules)
            # What drifted after the snapshot has nothing that could undo it: the next check finds it.
            heals = [heal for heal in plan.heals if heal.id in snapshot.objects]
            if not heals:
                return HealDone(len(snapshot.objects), list(plan.left))
            refused = {}
            for heal in heals:
                report(f"putting back {heal.id}")
                if why := await self._put_one_back(heal):
                    refused[heal.id] = why
        again = await self.plan(request.lease.environment, request.state, request.units, rules)
        return _done(snapshot, again, refused)

    async def _put_one_back(self, heal: ObjectHeal) -> str:
        """Why the cluster refuses the object as it was delivered; empty where it takes it."""
        writer = self._runtime.cluster.writer(own_manager(heal.body) or "adx")
        try:
            if heal.removals and heal.live is not None:
                await writer.remove(heal.live, heal.removals)
            await writer.apply(heal.body)
        except ClusterRefused as error:
            return str(error)
        return ""

    async def undo(self, snapshot: HealSnapshotBody, report: Report) -> None:
        """Make every object of the snapshot what it was before the heal, and compare. Raises RestoreNotVerified."""

        async def undo(one: HealedObject) -> None:
            report(f"undoing {object_id(one.delivered)}")
            await self._undo_one(one)

        for some in namespaces_first(snapshot):
            await some_at_once(undo, some)
        await self._verify_undone(snapshot)

    async def _undo_one(self, one: HealedObject) -> None:
        now = await self._runtime.cluster.find(one.delivered)
        if is_same(one, now):
            return
        writer = self._runtime.cluster.writer(UNDOING_MANAGER)
        if one.live is None:
            await writer.delete(one.delivered)
        else:
            await writer.replace(one.live, now)

    async def _verify_undone(self, snapshot: HealSnapshotBody) -> None:
        deadline, objects = asyncio.get_running_loop().time() + UNDONE_WITHIN_SECONDS, snapshot.objects
        while True:
            live = await some_at_once(self._runtime.cluster.find, [one.delivered for one in objects.values()])
            wrong = await asyncio.to_thread(not_as_before, objects, live)
            if not wrong:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise RestoreNotVerified(
                    f"{len(wrong)} object(s) are not as they were before the heal: {', '.join(wrong[:5])}",
                    next_step=f"look at them, then run `adx restore {snapshot.environment}`",
                )
            await asyncio.sleep(UNDONE_INTERVAL_SECONDS)


def _done(snapshot: HealSnapshotBody, again: HealPlan, refused: Mapping[str, str]) -> HealDone:
    """What holds after the last round. Raises HealFailed when nothing does."""
    failed: dict[str, str] = {}
    for heal in again.heals:
        if heal.id in snapshot.objects:
            why = refused.get(heal.id, "somebody changes it again at once")
            failed.setdefault(heal.unit, f"{heal.id} cannot be put back: {why}")
    units = {one.unit for one in snapshot.objects.values()}
    if units <= failed.keys() and failed:
        raise HealFailed("; ".join(failed.values()), next_step="look who changes it, or declare it so")
    healed = sum(one.unit not in failed for one in snapshot.objects.values())
    return HealDone(healed, list(again.left), failed)
