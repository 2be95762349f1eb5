"""The steps of a rollout that touch no stack: what to deliver, what it means, whether it works, how it ended."""

from __future__ import annotations

from datetime import datetime

from temporalio import activity

from policies.desired_state import DesiredState
from policies.services.releases import newest_workloads
from workflows.bodies import DeliveryBody
from workflows.fleet.calendar import hold_until
from workflows.fleet.newest import newest_rules
from workflows.ledger import audit, environments, fencing
from workflows.ledger.models import AuditEntry
from workflows.rollout import beginning, binding, ending, intention, post_deployment, validating
from workflows.rollout.activity_models import (
    AncestryRequest,
    BindRequest,
    Bound,
    Choice,
    ChooseRequest,
    DecisionRecord,
    Finished,
    FinishRequest,
    HoldAnswer,
    HoldRequest,
    TestRequest,
    TestsPassed,
    Thawed,
    Validated,
    ValidateRequest,
)
from workflows.runtime import Runtime
from workflows.step_runner import Report, StepKey


class RolloutActivities:
    """Activities of the environment's and the rollout's workflow."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def choose(self, request: ChooseRequest) -> Choice:
        """The submission to deliver next. What it contains, and what must not be delivered, is settled."""
        return await intention.choose(self._runtime, request)

    @activity.defn
    async def is_newer(self, request: AncestryRequest) -> bool:
        """Whether ``newer`` is another commit than ``older`` and contains it."""
        await self._runtime.repository.fetch()
        return request.older != request.newer and await self._runtime.repository.is_ancestor(
            request.older, request.newer
        )

    @activity.defn
    async def record_decision(self, record: DecisionRecord) -> None:
        """Write a person's decision into the audit trail, once however often it is asked."""
        info = activity.info()
        entry = AuditEntry(
            key=f"{record.action}:{info.workflow_id}:{info.workflow_run_id}:{info.activity_id}",
            actor=audit.escape_name(record.decision.by),
            source="cli",
            action=f"rollout.{record.action}",
            environment=record.environment,
            detail={"rollout_id": record.decision.rollout_id, "reason": record.decision.reason},
        )
        await audit.append(self._runtime.ledger, entry)

    @activity.defn
    async def validate(self, request: ValidateRequest) -> Validated:
        """Read the commit, refuse what must not be delivered, and find what would change."""
        runtime, submission = self._runtime, request.submission
        commit = await intention.target_of(runtime, submission)
        base = await environments.find(runtime.ledger, submission.environment)
        target = validating.Target(submission, commit, base)
        await beginning.begin(runtime, request.rollout_id, submission, commit, target.base_commit)

        async def work(report: Report) -> Validated:
            validated = await validating.validate(runtime, target)
            await ending.record_change_set(runtime, request.rollout_id, validated)
            report(validated.summary)
            return validated

        content = f"{commit}@{target.base_state or 'nothing'}"
        key = StepKey(request.rollout_id, submission.environment, "validate", content)
        return await runtime.steps.run(key, Validated, work)

    @activity.defn
    async def read_hold(self, request: HoldRequest) -> HoldAnswer:
        """What holds the start of the rollout, as the branch declares it now: a freeze may just have been merged."""
        rules = await newest_rules(self._runtime, request.environment)
        if rules is None:
            rules = (await self._runtime.bodies.get(request.delivery, DeliveryBody, request.environment)).environment
        hold = hold_until(datetime.fromisoformat(request.at), rules.freezes, rules.windows)
        return HoldAnswer(hold.until.isoformat(), hold.why) if hold is not None else HoldAnswer()

    @activity.defn
    async def bind(self, request: BindRequest) -> Bound:
        """Plan before anything is touched, and find that plan among those that were reviewed. Raises PlanMoved."""

        async def work(report: Report) -> Bound:
            bound = await binding.bind(self._runtime, request)
            report(f"plan {bound.digest[:12]} as previewed for {bound.head[:12]}")
            return bound

        # Asked anew by every attempt: a preview may have been recorded meanwhile.
        attempt = f"{request.desired_state}@{activity.info().attempt}"
        key = StepKey(request.rollout_id, request.environment, "bind", attempt)
        return await self._runtime.steps.run(key, Bound, work)

    @activity.defn
    async def run_tests(self, request: TestRequest) -> TestsPassed:
        """Run the post-deployment tests in order. Raises PostDeploymentTestFailed at the first that fails."""

        async def work(report: Report) -> TestsPassed:
            body = await self._runtime.bodies.get(request.delivery, DeliveryBody, request.environment)
            state = await self._state(request.environment, request.desired_state or None)
            workloads = newest_workloads(state) if state is not None else {}
            passed: list[str] = []
            for test in body.environment.post_deployment_tests:
                report(f"{test.name} ({len(passed) + 1}/{len(body.environment.post_deployment_tests)})")
                await post_deployment.run(self._runtime.cluster, test, body.environment, request.commit, workloads)
                passed.append(test.name)
            report(f"{len(passed)} test(s) passed")
            return TestsPassed(passed)

        key = StepKey(request.rollout_id, request.environment, "test", request.delivery)
        return await self._runtime.steps.run(key, TestsPassed, work)

    @activity.defn
    async def finish(self, request: FinishRequest) -> Finished:
        """Write the end of the rollout and what follows: units, quarantine, revert branch, pruned snapshots."""
        return await ending.finish(self._runtime, request)

    @activity.defn
    async def thaw(self, request: Thawed) -> None:
        """Let a frozen environment accept deliveries again, on an operator's word."""
        await environments.unfreeze(
            self._runtime.ledger,
            request.environment,
            actor=audit.escape_name(request.decision.by),
            source="cli",
            reason=request.decision.reason,
        )
        if request.restore is not None:
            await fencing.renew(self._runtime.ledger, request.environment, request.restore.rollout_id, "thaw")

    async def _state(self, environment: str, digest: str | None) -> DesiredState | None:
        if digest is None:
            return None
        return await self._runtime.bodies.get(digest, DesiredState, environment)
