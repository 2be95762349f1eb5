"""The steps of a rollout that touch no stack: what to deliver, what it means, whether it works, how it ended."""

from __future__ import annotations

from datetime import datetime

from temporalio import activity

from policies.change_set import ChangeSet, diff
from policies.desired_state import DesiredState
from policies.infrastructure.roles import people
from policies.infrastructure.spec import EnvironmentSpec
from policies.services.releases import newest_workloads
from workflows.bodies import DeliveryBody
from workflows.cells.plan import check_placement, mixed
from workflows.configuration.delivering import is_configured
from workflows.drift.before import drift_before, with_drift
from workflows.fleet.calendar import hold_until
from workflows.fleet.newest import newest_rules
from workflows.ledger import audit, environments, fencing, rollouts
from workflows.ledger.models import AuditEntry, NewRollout
from workflows.migrations.staging import stages_of, with_unapplied
from workflows.rollout import binding, ending, intention, post_deployment
from workflows.rollout.models import (
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
from workflows.rollout.plan import (
    changed_services,
    check_no_lowering,
    check_no_recreation,
    core_changes,
    is_fleet,
    late_removals,
    summary_of,
)
from workflows.runtime import Runtime
from workflows.services.staging import releases_of
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
        target = await intention.target_of(runtime, submission)
        base = await environments.find(runtime.ledger, submission.environment)
        base_state = base.delivered_state_digest if base else None
        base_commit = base.delivered_commit if base else None
        new = NewRollout(
            id=request.rollout_id,
            environment=submission.environment,
            kind=submission.kind,
            commit=target,
            requested_by=audit.escape_name(submission.requested_by),
            source=submission.source,
            base_commit=base_commit,
        )
        await rollouts.start(runtime.ledger, new)

        async def work(report: Report) -> Validated:
            await intention.check_deliverable(runtime, submission, target, base_commit)
            previous = await self._state(submission.environment, base_state)
            desired, rules = await intention.read_commit(runtime, target, submission.environment, previous)
            change_set = diff(previous, desired)
            check_placement(previous, desired)
            check_no_recreation(change_set)
            if submission.kind == "deliver":
                check_no_lowering(change_set)
            body = DeliveryBody(environment=rules, change_set=change_set)
            core_state, core_units = await self._core(previous, desired, rules, change_set)
            drift = await drift_before(previous, change_set, runtime.engine, runtime.cluster)
            commits = [target, base_commit] if base_commit else [target]
            migrations = await stages_of(runtime, previous, desired, commits)
            services = changed_services(change_set)
            applied = await self._state(submission.environment, core_state or None) or desired
            is_rollback = submission.kind == "rollback"
            releases = await releases_of(runtime, previous, applied, services, is_rollback=is_rollback)
            validated = Validated(
                commit=target,
                base_commit=base_commit,
                base_state=base_state,
                desired_state=await runtime.bodies.put(desired, submission.environment),
                delivery=await runtime.bodies.put(body, submission.environment),
                changed_units=len(change_set.changes),
                summary=with_unapplied(with_drift(summary_of(change_set), drift), previous, desired),
                changed_services=services,
                approvers=list(people(rules.approval.approvers, rules.roles)) if rules.approval.required else None,
                approval_timeout_hours=rules.approval.timeout_hours,
                is_plan_bound=rules.review.bind_plan and submission.kind == "deliver",
                core_state=core_state,
                core_units=core_units,
                cells=desired.cells,
                late_removals=late_removals(change_set) if core_state else [],
                has_calendar=bool(rules.freezes or rules.windows),
                has_configuration=is_configured(runtime.environ),
                migrations=migrations,
                releases=releases,
            )
            await ending.record_change_set(runtime, request.rollout_id, validated)
            report(validated.summary)
            return validated

        key = StepKey(request.rollout_id, submission.environment, "validate", f"{target}@{base_state or 'nothing'}")
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

    async def _core(
        self, previous: DesiredState | None, desired: DesiredState, rules: EnvironmentSpec, change_set: ChangeSet
    ) -> tuple[str, int]:
        """Where tenants are delivered in waves: the digest of what comes before them, and how much differs in it."""
        if not is_fleet(rules):
            return "", 0
        changed = core_changes(change_set)
        core = mixed(previous, desired, changed)
        return await self._runtime.bodies.put(core, desired.environment), len(changed)

    async def _state(self, environment: str, digest: str | None) -> DesiredState | None:
        if digest is None:
            return None
        return await self._runtime.bodies.get(digest, DesiredState, environment)
