"""Durable inputs and results of the steps that touch a stack.

They live on in workflow histories: only ever add fields, with defaults. Bodies
(desired states, plans, exported states) are in the snapshot store; here are
their digests.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StackLease:
    """Who may change the stack of ``environment``: the holder of ``fencing_token``, for ``rollout_id``."""

    environment: str
    rollout_id: str
    fencing_token: int


@dataclass(frozen=True)
class SnapshotRequest:
    """Take a snapshot before anything is applied. ``base_state`` is the digest of the last good desired state.

    With ``cells`` the tenants live in stacks of their own and have snapshots of their own.
    """

    environment: str
    rollout_id: str
    base_state: str | None
    cells: int = 0


@dataclass(frozen=True)
class SnapshotTaken:
    """What restores the stack. ``snapshot`` is the digest of the manifest in the snapshot store."""

    lease: StackLease
    snapshot: str
    objects: int
    pending_operations: int = 0


@dataclass(frozen=True)
class PlanRequest:
    """Preview ``desired_state`` (a digest) on the stack."""

    lease: StackLease
    desired_state: str


@dataclass(frozen=True)
class PlanMade:
    """What would happen. ``digest`` names the plan; its body is in the snapshot store."""

    digest: str
    creates: int
    updates: int
    replaces: int
    deletes: int
    unchanged: int


@dataclass(frozen=True)
class ApplyRequest:
    """Make the stack what ``desired_state`` (a digest; empty: nothing at all) says.

    ``refresh`` reads the cluster before applying; ``is_restore`` names the step in the ledger, and ``round_number``
    says which round of the restore asks: each does its work anew.
    """

    lease: StackLease
    desired_state: str
    refresh: bool = False
    is_restore: bool = False
    round_number: int = 0


@dataclass(frozen=True)
class Applied:
    """What the engine did."""

    creates: int
    updates: int
    replaces: int
    deletes: int
    unchanged: int
    repaired_operations: int = 0


@dataclass(frozen=True)
class RestoreRequest:
    """Bring the stack back to ``snapshot``, in one round of possibly several."""

    lease: StackLease
    snapshot: str
    round_number: int = 0


@dataclass(frozen=True)
class RestoreVerified:
    """The cluster is what the snapshot says. ``healed_drift`` names objects that had drifted before the rollout."""

    objects: int
    healed_drift: tuple[str, ...] = field(default=())
