"""A scheduled check for drift: compare, keep what was found, tell it, and ask for a heal where that is declared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from temporalio import activity

from policies.desired_state import DesiredState
from policies.errors import AdxError
from policies.infrastructure.spec import DriftRules, EnvironmentSpec
from workflows.drift.check import Checked, Sources, check
from workflows.drift.findings import EnvironmentDrift, sentence
from workflows.drift.healing import heal_plan
from workflows.drift.judging import Verdict, calm_after, strays, units_seen, verdict
from workflows.drift.models import DriftFound, DriftRequest
from workflows.drift.rules import delivered_rules, hindrance_now
from workflows.drift.telling import redactor_of, tell, tell_given_up
from workflows.ledger import drift, environments
from workflows.ledger.drift import UnitDrift
from workflows.ledger.models import Environment
from workflows.rollout.models import Receipt, Submission
from workflows.runtime import Runtime
from workflows.step_runner import Report
from workflows.telemetry import logs, metrics

CHECKS_AT_ONCE = 2


class DriftActivities:
    """Activities of the drift workflow. A worker compares few environments at once: rollouts come first."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._turns = asyncio.Semaphore(CHECKS_AT_ONCE)

    @activity.defn
    async def check_drift(self, request: DriftRequest) -> DriftFound:
        """Compare the environment with what was delivered; what is found is in the ledger afterwards."""
        report = Report()
        if self._turns.locked():
            report("waiting for other checks")
        async with self._turns:
            known = await environments.find(self._runtime.ledger, request.environment)
            if known is None:
                return DriftFound(request.environment, "nothing-delivered", "nothing was delivered yet")
            runtime = self._runtime
            sources = Sources(runtime.ledger, runtime.bodies, runtime.engine, runtime.cluster)
            return await self._judged(known, await check(sources, known, report))

    @activity.defn
    async def submit_heal(self, submission: Submission) -> Receipt:
        """Ask the environment to put the units back, behind whatever it does now."""
        # Not at the top: the environment's workflow knows the rollout, whose end keeps the schedule of these checks.
        from workflows.rollout.submitting import submit  # noqa: PLC0415

        return await submit(activity.client(), activity.info().task_queue, submission)

    async def _judged(self, known: Environment, checked: Checked) -> DriftFound:
        runtime, found = self._runtime, checked.found
        rules, why = await self._rules(known) if checked.seen is not None else (None, "")
        judged, given_up = Verdict(why_not=why), []
        if checked.seen is not None and checked.desired is not None and rules is not None:
            # Of thousands of objects: heartbeats must go on.
            plan = await asyncio.to_thread(heal_plan, checked.seen, None, _drift_rules(rules).leave_to)
            before = await drift.units_of(runtime.ledger, known.name)
            hindered = await hindrance_now(runtime, known, rules, datetime.now(UTC))
            judged = verdict(plan, before, rules, hindrance=hindered, desired=checked.desired)
            given_up = _given_up(before, judged, checked.desired)
        await self._record(known, checked, judged, _drift_rules(rules))
        await tell_given_up(runtime.ledger, given_up)
        await tell(runtime, found, judged.why_not)
        return DriftFound(
            environment=known.name,
            status=found.status,
            sentence=sentence(found),
            commit=found.commit,
            compared=found.compared,
            drifted_units=len(_drifted_units(found)),
            to_heal=list(judged.to_heal),
            not_healed=judged.why_not,
        )

    async def _rules(self, known: Environment) -> tuple[EnvironmentSpec | None, str]:
        try:
            return await delivered_rules(self._runtime, known.name, known.delivered_commit or ""), ""
        except AdxError as error:  # what was found is told all the same
            return None, f"environment.yaml cannot be read: {error}"

    async def _record(self, known: Environment, checked: Checked, judged: Verdict, rules: DriftRules) -> None:
        found = checked.found
        record = drift.DriftCheckRecord(
            environment=known.name,
            at=datetime.now(UTC),
            status=found.status,
            commit=found.commit,
            reason=redactor_of(self._runtime).line(found.reason),
            rollout_id=found.rollout,
            compared=found.compared,
            strays=strays(found.objects),
            not_healed=judged.why_not,
        )
        units = units_seen(checked.desired, found.objects) if checked.desired is not None else None
        await drift.record(self._runtime.ledger, record, units, calm=calm_after(rules))
        metrics.drift_checked(known.name, found.status)
        if units is not None:
            metrics.drift_found(known.name, drifted=len(_drifted_units(found)), given_up=len(judged.given_up))
        logs.logger().info(
            "drift checked", environment=known.name, status=found.status, units=sorted(_drifted_units(found))[:20]
        )


def _given_up(before: Iterable[UnitDrift], judged: Verdict, desired: DesiredState) -> list[UnitDrift]:
    """What was known of the units that are healed no more, with the commits that declare them now."""
    declared = desired.by_id()
    chosen = (one for one in before if one.unit in judged.given_up)
    return [msgspec.structs.replace(one, commit=declared[one.unit].commit) for one in chosen]


def _drifted_units(found: EnvironmentDrift) -> set[str]:
    return {one.unit for one in found.objects if one.state != "stray"}


def _drift_rules(rules: EnvironmentSpec | None) -> DriftRules:
    return rules.drift if rules is not None and rules.drift is not None else DriftRules()
