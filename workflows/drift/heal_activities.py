"""The steps of a heal: what is to be put back, what undoes it, putting it back, undoing it, and the end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import msgspec
from temporalio import activity

from policies.change_set import ChangeSet
from policies.desired_state import digest_of
from policies.infrastructure.spec import DriftRules, EnvironmentSpec
from workflows.bodies import DeliveryBody
from workflows.drift.bodies import HealedObject, HealSnapshotBody
from workflows.drift.drifted_objects import DriftedObjects
from workflows.drift.heal_ending import finish_heal
from workflows.drift.healing import HealPlan
from workflows.drift.models import (
    HealApply,
    HealDone,
    HealEnd,
    HealPlanned,
    HealRequest,
    HealSnapshot,
    HealSnapshotRequest,
)
from workflows.drift.rules import delivered_rules, hindrance_now
from workflows.errors import RolloutRefused
from workflows.infrastructure.activities import fenced
from workflows.infrastructure.models import StackLease
from workflows.ledger import environments, fencing, rollouts
from workflows.ledger.models import Environment
from workflows.rollout.beginning import begin
from workflows.rollout.models import Submission
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey

UNITS_NAMED = 4


class HealActivities:
    """Activities of the heal's workflow."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._objects = DriftedObjects(runtime)

    @activity.defn
    async def plan_heal(self, request: HealRequest) -> HealPlanned:
        """Find what has drifted now. Raises RolloutRefused when nothing of the environment may be healed."""
        runtime, submission = self._runtime, request.submission
        await begin(runtime, request.rollout_id, submission, submission.commit, base_commit=submission.commit)

        async def work(report: Report) -> HealPlanned:
            known, rules = await self._allowed(submission)
            state = known.delivered_state_digest or ""
            plan = await self._objects.plan(submission.environment, state, submission.units, _rules(rules))
            body = DeliveryBody(environment=rules, change_set=_no_change(submission))
            planned = HealPlanned(
                commit=submission.commit,
                state=state,
                delivery=await runtime.bodies.put(body, submission.environment),
                units=list(plan.units),
                services=[unit.partition("/")[2] for unit in plan.units if unit.startswith("service/")],
                summary=_summary_of(plan),
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
            plan = await self._objects.plan(environment, request.state, request.units, rules)
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
                done = await self._objects.put_back(request, snapshot, rules, report)
                await self._objects.undo(_of_units(snapshot, done.failed), report)
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
                await self._objects.undo(snapshot, report)
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


def _of_units(snapshot: HealSnapshotBody, units: Collection[str]) -> HealSnapshotBody:
    objects = {id_: one for id_, one in snapshot.objects.items() if one.unit in units}
    return msgspec.structs.replace(snapshot, objects=objects)


def _summary_of(plan: HealPlan) -> str:
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
