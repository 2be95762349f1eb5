"""Durable inputs, results and statuses of rollouts.

They live on in workflow histories: only ever add fields, with defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from workflows.migrations.models import MigrationsToUndo
from workflows.models import Outcome, RolloutKind, StepProgress, Timeouts
from workflows.services.models import ReleasesToReturn

Source = Literal["webhook", "poller", "cli", "drift"]

# Types of error that mean: this commit is not to be delivered, however often it is tried.
FAULTS_OF_COMMIT = (
    "RolloutRefused", "PlanMoved", "DeclarationError", "CommitNotOnBranch", "HistoryRewritten", "NotNewer"
)  # fmt: skip
NO_FAULTS_OF_COMMIT = ("NamespaceOccupied",)
REFUSALS = (*FAULTS_OF_COMMIT, *NO_FAULTS_OF_COMMIT)


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
class RolloutInput:
    """Deliver one submission."""

    submission: Submission
    timeouts: Timeouts = Timeouts()


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
