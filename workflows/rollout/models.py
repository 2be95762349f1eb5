"""Durable inputs, results and statuses of rollouts.

They live on in workflow histories: only ever add fields, with defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from workflows.migrations.models import MigrationsToUndo, RolloutMigrations
from workflows.models import StepProgress, Timeouts
from workflows.services.models import ReleaseSet, ReleasesToReturn

RolloutKind = Literal["deliver", "rollback", "heal"]
Source = Literal["webhook", "poller", "cli", "drift"]
Outcome = Literal[
    "delivered",
    "partly-delivered",
    "nothing-to-change",
    "restored",
    "cancelled",
    "superseded",
    "refused",
    "failed",
    "needs-operator",
]

DELIVERY_STEPS = ("validate", "snapshot", "plan", "apply", "deploy", "test", "status")
# Types of error that mean: this commit is not to be delivered, however often it is tried.
REFUSALS = ("RolloutRefused", "PlanMoved", "DeclarationError", "CommitNotOnBranch", "HistoryRewritten", "NotNewer")
TENANTS_STEP = "tenants"  # stands before "status" where tenants are delivered in waves
CONFIGURATION_STEP = "configuration"  # stands after "deploy", and last in a restore, where values go into a store
RELEASE_STEP = "release"  # stands after "deploy" and "configuration" where services change their release
CLEANUP_STEP = "cleanup"  # stands after "test" where they do: takes the old releases away
TRAFFIC_STEP = "traffic"  # stands first in a restore that gives requests back to old releases
REBUILD_STEP = "rebuild"  # before it, where the old releases were taken away already
RESTORE_STEPS = ("repair", "reapply", "redeploy", "verify")


@dataclass(frozen=True)
class Submission:
    """A wish to bring ``environment`` to ``commit`` (a full commit id).

    For a rollback an empty ``commit`` means: the last good one before the
    delivered one. ``force`` is a person's word to deliver a
    commit although it is quarantined or the branch was rewritten.
    For a heal ``commit`` is what is delivered and ``units`` are those that
    have drifted from it.
    """

    environment: str
    commit: str
    requested_by: str
    source: Source
    kind: RolloutKind = "deliver"
    force: bool = False
    units: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Receipt:
    """What became of a submission right away. ``message`` is for a person."""

    environment: str
    commit: str
    message: str


@dataclass(frozen=True)
class Decision:
    """A person's word on a waiting or running rollout."""

    by: str
    rollout_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class DecisionRecord:
    """A decision to be written into the audit trail."""

    environment: str
    action: str
    decision: Decision


@dataclass(frozen=True)
class AncestryRequest:
    """Does ``newer`` contain ``older``, and is it another commit?"""

    older: str
    newer: str


@dataclass(frozen=True)
class ChooseRequest:
    """Which of these submissions is to be delivered next."""

    environment: str
    submissions: list[Submission]


@dataclass(frozen=True)
class Choice:
    """The submission to deliver next, if any; ``remaining`` stay queued; the others are settled."""

    chosen: Submission | None
    remaining: list[Submission] = field(default_factory=list)


@dataclass(frozen=True)
class RolloutInput:
    """Deliver one submission."""

    submission: Submission
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class ValidateRequest:
    """Find out what delivering the submission means."""

    rollout_id: str
    submission: Submission


@dataclass(frozen=True)
class Validated:
    """The change set, by digests of bodies in the snapshot store.

    ``approvers`` is None where no approval is asked for; an empty list means
    anybody may approve. ``core_state`` is set where tenants are delivered in
    waves: the desired platform and services with the tenants as they are, and
    with the services ``late_removals`` (unit ids), which go after the tenants;
    ``core_units`` counts what differs in it.
    """

    commit: str
    base_commit: str | None
    base_state: str | None
    desired_state: str
    delivery: str
    changed_units: int
    summary: str
    changed_services: list[str] = field(default_factory=list)
    approvers: list[str] | None = None
    approval_timeout_hours: int = 72
    is_plan_bound: bool = False
    core_state: str = ""
    core_units: int = 0
    cells: int = 0
    late_removals: list[str] = field(default_factory=list)
    has_calendar: bool = False
    has_configuration: bool = False
    migrations: RolloutMigrations | None = None
    releases: ReleaseSet | None = None

    @property
    def applied_state(self) -> str:
        """What is applied as one: everything, or everything but the tenants where they are delivered in waves."""
        return self.core_state or self.desired_state

    @property
    def first_state(self) -> str:
        """What is applied first: with the old releases beside the new, where services change theirs."""
        return self.releases.state if self.releases is not None else self.applied_state


@dataclass(frozen=True)
class BindRequest:
    """Hold the rollout to a plan that was previewed. ``base_state``, ``desired_state`` and ``delivery`` are digests."""

    environment: str
    rollout_id: str
    base_state: str | None
    desired_state: str
    delivery: str


@dataclass(frozen=True)
class Bound:
    """The plan is the one that was previewed for ``head``."""

    digest: str
    head: str
    pull_request: int | None = None


@dataclass(frozen=True)
class TestRequest:
    """Run the post-deployment tests that were declared at the commit; ``delivery`` is the digest of its body.

    ``desired_state`` (a digest) says what the workloads of services are called; empty: like their services.
    """

    __test__ = False  # not a test class, whatever its name looks like to pytest

    environment: str
    rollout_id: str
    commit: str
    delivery: str
    desired_state: str = ""


@dataclass(frozen=True)
class TestsPassed:
    """Names of the tests that passed, in order."""

    __test__ = False

    names: list[str]


@dataclass(frozen=True)
class FinishRequest:
    """Write the end of a rollout into the ledger, and what follows from it."""

    rollout_id: str
    submission: Submission
    outcome: Outcome
    fencing_token: int
    validated: Validated | None = None
    failure: str = ""
    failed_step: str = ""
    error_type: str = ""
    snapshot: str = ""
    restore_verified: bool = False
    delivered_state: str = ""


@dataclass(frozen=True)
class Finished:
    """``revert_branch`` is the branch that holds the prepared revert, empty where none was made."""

    revert_branch: str = ""


@dataclass(frozen=True)
class RestoreInput:
    """Bring an environment back to the snapshot of a rollout that failed.

    ``configured_state`` is what configuration was delivered of, empty where none was.
    """

    rollout_id: str
    environment: str
    fencing_token: int
    snapshot: str
    base_state: str | None
    changed_services: list[str] = field(default_factory=list)
    timeouts: Timeouts = Timeouts()
    configured_state: str = ""
    requested_by: str = ""
    migrations: MigrationsToUndo | None = None
    releases: ReleasesToReturn | None = None


@dataclass(frozen=True)
class RestoreResult:
    """How a restore ended; ``verified`` only if the cluster was compared with the snapshot and is equal.

    ``kept`` says which databases keep their new version, since rows would have been lost.
    """

    verified: bool
    failure: str = ""
    failed_step: str = ""
    objects: int = 0
    kept: str = ""
    has_returned_traffic: bool = False


@dataclass(frozen=True)
class HoldRequest:
    """Ask whether a freeze or a closed window holds the start of a rollout ``at`` (ISO 8601); ``delivery`` a digest."""

    environment: str
    delivery: str
    at: str


@dataclass(frozen=True)
class HoldAnswer:
    """What holds it, and until when (ISO 8601); both empty where nothing does."""

    until: str = ""
    why: str = ""


@dataclass
class RolloutStatus:
    """A rollout as a query shows it. ``outcome`` is empty while it runs.

    ``held_until`` and ``held_why`` tell of a freeze or a closed window that holds its start; ``releasing`` are the
    services that have begun to change their release, ``kept_until`` is how long the old ones are kept (ISO 8601).
    """

    rollout_id: str
    environment: str
    commit: str
    kind: RolloutKind
    requested_by: str
    source: Source
    phase: str = "running"
    outcome: str = ""
    base_commit: str = ""
    summary: str = ""
    failure: str = ""
    failed_step: str = ""
    restore_id: str = ""
    revert_branch: str = ""
    waiting_for_approval: bool = False
    approvers: list[str] = field(default_factory=list)
    steps: list[StepProgress] = field(default_factory=list)
    restore: RestoreInput | None = None
    held_until: str = ""
    held_why: str = ""
    releasing: list[str] = field(default_factory=list)
    kept_until: str = ""

    @classmethod
    def begun(cls, rollout_id: str, submission: Submission, steps: Sequence[str]) -> RolloutStatus:
        """A rollout of ``submission`` of which no step has run."""
        return cls(
            rollout_id=rollout_id,
            environment=submission.environment,
            commit=submission.commit,
            kind=submission.kind,
            requested_by=submission.requested_by,
            source=submission.source,
            steps=[StepProgress(name) for name in steps],
        )

    def ended(self, outcome: Outcome) -> RolloutStatus:
        """Itself, with its end noted."""
        self.phase, self.outcome = "ended", outcome
        return self


@dataclass(frozen=True)
class Thawed:
    """An operator's restore succeeded; the environment accepts deliveries again."""

    environment: str
    restore: RestoreInput | None
    decision: Decision


@dataclass(frozen=True)
class Frozen:
    """Why an environment accepts nothing until an operator acts; without ``restore`` the state is unknown."""

    reason: str
    restore: RestoreInput | None = None


@dataclass(frozen=True)
class EnvironmentInput:
    """State that the environment's workflow carries from one run to the next."""

    environment: str
    pending: list[Submission] = field(default_factory=list)
    frozen: Frozen | None = None
    last: RolloutStatus | None = None
    timeouts: Timeouts = Timeouts()


@dataclass
class EnvironmentStatus:
    """An environment as a query shows it."""

    environment: str
    current: str = ""
    pending: list[Submission] = field(default_factory=list)
    frozen_reason: str = ""
    last: RolloutStatus | None = None
