"""What the activities of rollouts are asked, and answer.

They live on in workflow histories: only ever add fields, with defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.migrations.models import RolloutMigrations
from workflows.models import Outcome
from workflows.rollout.models import Decision, RestoreInput, Submission
from workflows.services.models import ReleaseSet


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


@dataclass(frozen=True)
class Thawed:
    """An operator's restore succeeded; the environment accepts deliveries again."""

    environment: str
    restore: RestoreInput | None
    decision: Decision
