"""The steps of a heal: what is to be put back, what undoes it, putting it back, undoing it, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import msgspec
from temporalio import activity

from policies.change_set import ChangeSet
from policies.desired_state import DesiredState, digest_of
from policies.infrastructure.spec import DriftRules, EnvironmentSpec
from workflows.bodies import DeliveryBody
from workflows.clients.kubernetes.errors import ClusterRefused
from workflows.clients.kubernetes.normalise import object_id
from workflows.clients.kubernetes.turns import some_at_once
from workflows.drift.bodies import HealedObject, HealSnapshotBody
from workflows.drift.heal_ending import finish_heal
from workflows.drift.heal_objects import is_same, namespaces_first, not_as_before
from workflows.drift.healing import HealPlan, ObjectHeal, heal_plan
from workflows.drift.look import look
from workflows.drift.models import (
    HealApply,
    HealDone,
    HealEnd,
    HealPlanned,
    HealRequest,
    HealSnapshot,
    HealSnapshotRequest,
)
from workflows.drift.owners import own_manager
from workflows.drift.rules import delivered_rules, hindrance_now
from workflows.errors import AdxValidationError, RestoreNotVerified, RolloutRefused
from workflows.infrastructure.activities import fenced
from workflows.infrastructure.models import StackLease
from workflows.ledger import audit, environments, fencing, rollouts
from workflows.ledger.models import Environment, NewRollout
from workflows.rollout.models import Submission
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey

ROUNDS = 3
UNDONE_WITHIN_SECONDS = 60.0
UNDONE_INTERVAL_SECONDS = 0.5
UNDOING_MANAGER = "adx-undo-heal"
UNITS_NAMED = 4


class HealFailed(AdxValidationError):
    """The cluster does not take what was delivered, or somebody changes it again at once."""

    exit_code = 4


class HealActivities:
    """Activities of the heal's workflow."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def plan_heal(self, request: HealRequest) -> HealPlanned:
        """Find what has drifted now. Raises RolloutRefused when nothing of the environment may be healed."""
        runtime, submission = self._runtime, request.submission
        new = NewRollout(
            id=request.rollout_id,
            environment=submission.environment,
            kind="heal",
            commit=submission.commit,
            requested_by=audit.escape_name(submission.requested_by),
            source=submission.source,
            base_commit=submission.commit,
        )
        await rollouts.start(runtime.ledger, new)

        async def work(report: Report) -> HealPlanned:
            known, rules = await self._allowed(submission)
            state = known.delivered_state_digest or ""
            plan = await self._plan(submission.environment, state, submission.units, _rules(rules))
            body = DeliveryBody(environment=rules, change_set=_no_change(submission))
            planned = HealPlanned(
                commit=submission.commit,
                state=state,
                delivery=await runtime.bodies.put(body, submission.environment),
                units=list(plan.units),
                services=[unit.partition("/")[2] for unit in plan.units if unit.startswith("service/")],
                summary=summary_of(plan),
            )
            await self._describe(request.rollout_id, planned)
            report(planned.summary)
            return planned

        content = f"{submission.commit}@{digest_of(submission.units)}"
        key = StepKey(request.rollout_id, submission.environment, "validate", content)
        return await runtime.steps.run(key, HealPlanned, work)

    @activity.defn
    async def snapshot_heal(self, request: HealSnapshotRequest) -> HealSnapshot:
        """Take the environment's lease, and keep every object that is about to be overwritten as it is."""

        async def work(report: Report) -> HealSnapshot:
            runtime, environment = self._runtime, request.environment
            token = await fencing.acquire(runtime.ledger, environment, request.rollout_id)
            rules = _rules((await runtime.bodies.get(request.delivery, DeliveryBody, environment)).environment)
            plan = await self._plan(environment, request.state, request.units, rules)
            objects = {
                heal.id: HealedObject(unit=heal.unit, delivered=heal.body, live=heal.live) for heal in plan.heals
            }
            body = HealSnapshotBody(environment=environment, rollout_id=request.rollout_id, objects=objects)
            digest = await runtime.bodies.put(body, environment)
            known = await rollouts.find(runtime.ledger, request.rollout_id)
            change_set = {**(known.change_set or {}), "snapshot": digest}
            await rollouts.describe(runtime.ledger, request.rollout_id, change_set=change_set)
            report(f"{len(objects)} object(s), {digest[:12]}")
            return HealSnapshot(StackLease(environment, request.rollout_id, token), digest, len(objects))

        key = StepKey(request.rollout_id, request.environment, "snapshot", request.state)
        return await self._runtime.steps.run(key, HealSnapshot, work)

    @activity.defn
    async def apply_heal(self, request: HealApply) -> HealDone:
        """Put the objects of the snapshot back, until they are as delivered; a unit that cannot be is undone alone.

        Raises HealFailed when none of them can be.
        """

        async def work(report: Report) -> HealDone:
            runtime, environment = self._runtime, request.lease.environment
            snapshot = await runtime.bodies.get(request.snapshot, HealSnapshotBody, environment)
            rules = _rules((await runtime.bodies.get(request.delivery, DeliveryBody, environment)).environment)
            async with fenced(runtime.ledger, request.lease):
                done = await self._put_back(request, snapshot, rules, report)
                await self._undo_all(_of_units(snapshot, done.failed), report)
            report(f"{done.objects} object(s) put back")
            return done

        key = StepKey(request.lease.rollout_id, request.lease.environment, "apply", request.snapshot)
        return await self._runtime.steps.run(key, HealDone, work)

    @activity.defn
    async def undo_heal(self, request: HealApply) -> HealDone:
        """Make the objects what they were before the heal, and compare. Raises RestoreNotVerified."""

        async def work(report: Report) -> HealDone:
            runtime, environment = self._runtime, request.lease.environment
            snapshot = await runtime.bodies.get(request.snapshot, HealSnapshotBody, environment)
            async with fenced(runtime.ledger, request.lease):
                await self._undo_all(snapshot, report)
            report(f"{len(snapshot.objects)} object(s) as before the heal")
            return HealDone(len(snapshot.objects))

        info = activity.info()
        key = StepKey(
            request.lease.rollout_id,
            request.lease.environment,
            "reapply",
            f"{request.snapshot}@{info.workflow_run_id}.{info.activity_id}",
        )
        return await self._runtime.steps.run(key, HealDone, work)

    @activity.defn
    async def finish_heal(self, request: HealEnd) -> None:
        """Write the end of the heal into the ledger: its rollout, its units, what is known of their drift."""
        await finish_heal(self._runtime, request)

    async def _allowed(self, submission: Submission) -> tuple[Environment, EnvironmentSpec]:
        known = await environments.find(self._runtime.ledger, submission.environment)
        if known is None or known.delivered_commit != submission.commit:
            raise RolloutRefused(f"{submission.commit[:12]} is not what {submission.environment} runs now")
        rules = await delivered_rules(self._runtime, known.name, submission.commit)
        if _rules(rules).heal == "never":
            raise RolloutRefused(f"{known.name} declares that drift is not healed")
        if why := await hindrance_now(self._runtime, known, rules, datetime.now(UTC)):
            raise RolloutRefused(f"nothing is healed now: {why}")
        return known, rules

    async def _plan(self, environment: str, state: str, units: list[str], rules: DriftRules) -> HealPlan:
        runtime = self._runtime
        desired = await runtime.bodies.get(state, DesiredState, environment)
        declared = desired.by_id()
        known = [unit for unit in units if unit in declared]
        seen = await look(desired, runtime.engine, runtime.cluster, units=known)
        # Of thousands of objects: heartbeats must go on.
        return await asyncio.to_thread(heal_plan, seen, frozenset(known), rules.leave_to)

    async def _describe(self, rollout_id: str, planned: HealPlanned) -> None:
        change_set = {
            "summary": planned.summary,
            "changed_units": len(planned.units),
            "changed_services": planned.services,
            "desired_state": planned.state,
            "delivery": planned.delivery,
            "reason": "drift",
        }
        await rollouts.describe(self._runtime.ledger, rollout_id, change_set=change_set)

    async def _put_back(
        self, request: HealApply, snapshot: HealSnapshotBody, rules: DriftRules, report: Report
    ) -> HealDone:
        """Put back what differs, look again, and so on: what holds, what is left alone, what cannot be put back."""
        refused: dict[str, str] = {}
        for _ in range(ROUNDS):
            plan = await self._plan(request.lease.environment, request.state, request.units, rules)
            # What drifted after the snapshot has nothing that could undo it: the next check finds it.
            heals = [heal for heal in plan.heals if heal.id in snapshot.objects]
            if not heals:
                return HealDone(len(snapshot.objects), list(plan.left))
            refused = {}
            for heal in heals:
                report(f"putting back {heal.id}")
                if why := await self._put_one_back(heal):
                    refused[heal.id] = why
        again = await self._plan(request.lease.environment, request.state, request.units, rules)
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

    async def _undo_all(self, snapshot: HealSnapshotBody, report: Report) -> None:
        async def undo(one: HealedObject) -> None:
            report(f"undoing {object_id(one.delivered)}")
            await self._undo(one)

        for some in namespaces_first(snapshot):
            await some_at_once(undo, some)
        await self._verify_undone(snapshot)

    async def _undo(self, one: HealedObject) -> None:
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


def _of_units(snapshot: HealSnapshotBody, units: Collection[str]) -> HealSnapshotBody:
    objects = {id_: one for id_, one in snapshot.objects.items() if one.unit in units}
    return msgspec.structs.replace(snapshot, objects=objects)


def summary_of(plan: HealPlan) -> str:
    """``drift healed: service/cart``, or why nothing is."""
    if not plan.units:
        return "; ".join(["nothing has drifted any more" if not plan.left else "nothing to heal", *plan.left[:3]])
    named = ", ".join(plan.units[:UNITS_NAMED])
    more = len(plan.units) - UNITS_NAMED
    return f"drift healed: {named}" + (f" and {more} more" if more > 0 else "")


def _no_change(submission: Submission) -> ChangeSet:
    commit = submission.commit
    return ChangeSet(environment=submission.environment, base_commit=commit, commit=commit, changes=())


def _rules(rules: EnvironmentSpec) -> DriftRules:
    return rules.drift or DriftRules()
