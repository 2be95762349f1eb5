"""What a submission would change, found before anything is touched: the first step of a rollout."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.change_set import ChangeSet, diff
from policies.desired_state import DesiredState
from policies.infrastructure.roles import people
from policies.infrastructure.spec import EnvironmentSpec
from workflows.bodies import DeliveryBody
from workflows.cells.plan import check_placement, mixed
from workflows.configuration.delivering import is_configured
from workflows.drift.before import drift_before, with_drift
from workflows.infrastructure.occupied import refuse_occupied
from workflows.ledger.models import Environment
from workflows.migrations.staging import stages_of, with_unapplied
from workflows.rollout import intention
from workflows.rollout.activity_models import Validated
from workflows.rollout.models import Submission
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


@dataclass(frozen=True)
class Target:
    """Bring ``base``, what the ledger knows of the environment, to ``commit``."""

    submission: Submission
    commit: str
    base: Environment | None

    @property
    def base_state(self) -> str | None:
        """The digest of what is delivered."""
        return self.base.delivered_state_digest if self.base is not None else None

    @property
    def base_commit(self) -> str | None:
        """The commit that is delivered."""
        return self.base.delivered_commit if self.base is not None else None


@dataclass(frozen=True)
class _Change:
    """From ``previous`` to ``desired``, under the ``rules`` of the new commit."""

    previous: DesiredState | None
    desired: DesiredState
    rules: EnvironmentSpec
    change_set: ChangeSet


async def validate(runtime: Runtime, target: Target) -> Validated:
    """Read the commit, refuse what must not be delivered, and find what would change."""
    submission, environment = target.submission, target.submission.environment
    change = await _allowed_change(runtime, target)
    previous, desired, rules, change_set = change.previous, change.desired, change.rules, change.change_set
    # Where tenants are delivered in waves: what comes before them, applied as one.
    core_units = core_changes(change_set) if is_fleet(rules) else []
    core = mixed(previous, desired, core_units) if is_fleet(rules) else None
    core_state = await runtime.bodies.put(core, environment) if core is not None else ""
    drift = await drift_before(previous, change_set, runtime.engine, runtime.cluster)
    commits = [target.commit, target.base_commit] if target.base_commit else [target.commit]
    migrations = await stages_of(runtime, previous, desired, commits)
    services = changed_services(change_set)
    is_rollback = submission.kind == "rollback"
    releases = await releases_of(runtime, previous, core or desired, services, is_rollback=is_rollback)
    validated = Validated(
        commit=target.commit,
        base_commit=target.base_commit,
        base_state=target.base_state,
        desired_state=await runtime.bodies.put(desired, environment),
        delivery=await runtime.bodies.put(DeliveryBody(environment=rules, change_set=change_set), environment),
        changed_units=len(change_set.changes),
        summary=with_unapplied(with_drift(summary_of(change_set), drift), previous, desired),
        changed_services=services,
        core_state=core_state,
        core_units=len(core_units),
        cells=desired.cells,
        late_removals=late_removals(change_set) if core_state else [],
        has_configuration=is_configured(runtime.environ),
        migrations=migrations,
        releases=releases,
    )
    return _with_rules(validated, rules, submission)


async def _allowed_change(runtime: Runtime, target: Target) -> _Change:
    """What the commit changes. Raises RolloutRefused for what must not be delivered."""
    submission = target.submission
    await intention.check_deliverable(runtime, submission, target.commit, target.base_commit)
    previous = await _state(runtime, submission.environment, target.base_state)
    desired, rules = await intention.read_commit(runtime, target.commit, submission.environment, previous)
    change_set = diff(previous, desired)
    check_placement(previous, desired)
    check_no_recreation(change_set)
    if submission.kind == "deliver":
        check_no_lowering(change_set)
    await refuse_occupied(runtime.cluster, previous, desired)
    return _Change(previous, desired, rules, change_set)


def _with_rules(validated: Validated, rules: EnvironmentSpec, submission: Submission) -> Validated:
    """Who is asked before it begins, and what it waits for."""
    approval = rules.approval
    return replace(
        validated,
        approvers=list(people(approval.approvers, rules.roles)) if approval.required else None,
        approval_timeout_hours=approval.timeout_hours,
        is_plan_bound=rules.review.bind_plan and submission.kind == "deliver",
        has_calendar=bool(rules.freezes or rules.windows),
    )


async def _state(runtime: Runtime, environment: str, digest: str | None) -> DesiredState | None:
    return await runtime.bodies.get(digest, DesiredState, environment) if digest is not None else None
