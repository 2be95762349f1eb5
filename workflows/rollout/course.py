"""What one rollout knows of itself as it goes on, and what it asks of others on the strength of it. Workflow code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workflows.configuration.durable import ConfigurationUpdate
from workflows.guarded import Failure
from workflows.infrastructure.models import SnapshotRequest, SnapshotTaken, StackLease
from workflows.models import Outcome, Timeouts
from workflows.rollout.activity_models import BindRequest, FinishRequest, Validated
from workflows.rollout.databases import Databases
from workflows.rollout.models import RestoreInput, RestoreResult, RolloutStatus, Submission
from workflows.rollout.outcomes import told_of
from workflows.rollout.releases import Releases
from workflows.rollout.step_names import TENANTS_STEP
from workflows.rollout.tenants import Tenants


@dataclass
class Course:
    """``validated`` and ``snapshot`` are set by the steps of these names, the rest as far as the rollout has it."""

    submission: Submission
    timeouts: Timeouts
    status: RolloutStatus
    tenants: Tenants
    validated: Validated | None = None
    snapshot: SnapshotTaken | None = None
    databases: Databases | None = None
    releases: Releases | None = None
    configured_state: str = ""
    error_type: str = ""

    @property
    def known(self) -> Validated:
        """What the submission means, for steps that come after that was found."""
        assert self.validated is not None  # noqa: S101 - set by the first step, before any that asks
        return self.validated

    @property
    def taken(self) -> SnapshotTaken:
        """The snapshot, for steps that come after it."""
        assert self.snapshot is not None  # noqa: S101 - set by the snapshot step, before any that asks
        return self.snapshot

    @property
    def lease(self) -> StackLease:
        """The right to change the environment."""
        return self.taken.lease

    @property
    def with_databases(self) -> Databases:
        """The databases, for the steps that only a rollout with some has."""
        assert self.databases is not None  # noqa: S101 - made with the steps that ask
        return self.databases

    @property
    def with_releases(self) -> Releases:
        """The releases, for the steps that only a rollout with some has."""
        assert self.releases is not None  # noqa: S101 - made with the steps that ask
        return self.releases

    @property
    def partly(self) -> dict[str, str]:
        """By step, why not all of it was delivered."""
        databases = self.databases.partly if self.databases is not None else {}
        return databases | ({TENANTS_STEP: self.tenants.partly} if self.tenants.partly else {})

    @property
    def delivered(self) -> Outcome:
        """Which end it is when all steps are done."""
        return "partly-delivered" if self.partly else "delivered"

    def note_partly(self) -> None:
        """Let the status say what was not delivered, and why."""
        if self.partly:
            self.status.failed_step = next(iter(self.partly))
            self.status.failure = "; ".join(self.partly.values())

    def note(self, failure: Failure) -> None:
        """Let the status say what failed."""
        self.status.failure, self.status.failed_step = failure.message, failure.step
        self.error_type = failure.error_type

    def note_restored(self, restored: RestoreResult) -> None:
        """Let the status say what became of the restore."""
        if restored.has_returned_traffic and self.status.restore is not None:
            self.status.restore = replace(self.status.restore, releases=None)
        self.status.failure += told_of(restored)

    def bind_request(self) -> BindRequest:
        """Whether this is the plan that was previewed."""
        return BindRequest(
            environment=self.status.environment,
            rollout_id=self.status.rollout_id,
            base_state=self.known.base_state,
            desired_state=self.known.desired_state,
            delivery=self.known.delivery,
        )

    def snapshot_request(self) -> SnapshotRequest:
        """Keep what is there now."""
        return SnapshotRequest(self.status.environment, self.status.rollout_id, self.known.base_state, self.known.cells)

    def configuration_update(self) -> ConfigurationUpdate:
        """Deliver the values; from now on a restore puts the earlier ones back."""
        self.configured_state = self.known.applied_state
        return ConfigurationUpdate(
            self.status.environment,
            self.status.rollout_id,
            self.configured_state,
            self.known.base_state,
            self.known.delivery,
            self.status.requested_by,
            self.timeouts,
        )

    def restore_input(self) -> RestoreInput:
        """Bring back what was there, as far as this has come."""
        environment, rollout_id = self.status.environment, self.status.rollout_id
        databases, releases = self.databases, self.releases
        return RestoreInput(
            rollout_id=rollout_id,
            environment=environment,
            fencing_token=self.lease.fencing_token,
            snapshot=self.taken.snapshot,
            base_state=self.known.base_state,
            changed_services=self.known.changed_services,
            timeouts=self.timeouts,
            configured_state=self.configured_state,
            requested_by=self.status.requested_by,
            migrations=databases.to_undo(environment, rollout_id) if databases is not None else None,
            releases=releases.to_return() if releases is not None else None,
        )

    def finish_request(self, outcome: Outcome, *, restore_verified: bool = False) -> FinishRequest:
        """Write the end into the ledger."""
        return FinishRequest(
            rollout_id=self.status.rollout_id,
            submission=self.submission,
            outcome=outcome,
            fencing_token=self.lease.fencing_token if self.snapshot is not None else 0,
            validated=self.validated,
            failure=self.status.failure,
            failed_step=self.status.failed_step,
            error_type=self.error_type,
            snapshot=self.snapshot.snapshot if self.snapshot is not None else "",
            restore_verified=restore_verified,
            delivered_state=self.tenants.delivered_state,
        )
