"""Durable inputs and results of checks for drift and of heals. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.infrastructure.models import StackLease
from workflows.models import Outcome, Timeouts
from workflows.rollout.models import Submission

HEAL_STEPS = ("validate", "snapshot", "apply", "deploy", "test", "status")


@dataclass(frozen=True)
class DriftInput:
    """Check one environment."""

    environment: str
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class DriftRequest:
    """Compare the environment with what was delivered to it, and record what is found."""

    environment: str


@dataclass(frozen=True)
class DriftFound:
    """What a check found, in numbers and a ``sentence``.

    ``to_heal`` are the units to be put back; ``not_healed`` says why others are not.
    """

    environment: str
    status: str
    sentence: str
    commit: str = ""
    compared: int = 0
    drifted_units: int = 0
    to_heal: list[str] = field(default_factory=list)
    not_healed: str = ""


@dataclass(frozen=True)
class DriftResult:
    """How a check ended; ``receipt`` is what the environment said to the heal that was asked of it."""

    found: DriftFound
    receipt: str = ""


@dataclass(frozen=True)
class HealRequest:
    """Find out what is to be put back, now that the environment is ours."""

    rollout_id: str
    submission: Submission


@dataclass(frozen=True)
class HealPlanned:
    """What is put back: ``units``, none when they are as delivered by now. Bodies by their digests."""

    commit: str
    state: str
    delivery: str
    units: list[str]
    services: list[str]
    summary: str


@dataclass(frozen=True)
class HealSnapshotRequest:
    """Keep what is about to be overwritten of ``units``."""

    environment: str
    rollout_id: str
    state: str
    delivery: str
    units: list[str]


@dataclass(frozen=True)
class HealSnapshot:
    """What undoes the heal: the digest of the objects as they were, and the claim on the environment."""

    lease: StackLease
    snapshot: str
    objects: int


@dataclass(frozen=True)
class HealApply:
    """Put back what the snapshot holds, or with ``is_undo`` make it what it was before."""

    lease: StackLease
    snapshot: str
    state: str
    delivery: str
    units: list[str]
    is_undo: bool = False


@dataclass(frozen=True)
class HealDone:
    """``objects`` were put back; ``left`` says why others were not even tried.

    ``failed`` are units that the cluster does not take back, and why: each of them is what it was before.
    """

    objects: int
    left: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HealEnd:
    """Write the end of a heal. ``failed`` are units that were not healed although others were, and why."""

    rollout_id: str
    submission: Submission
    outcome: Outcome
    planned: HealPlanned | None = None
    fencing_token: int = 0
    failure: str = ""
    failed_step: str = ""
    is_restored: bool = False
    failed: dict[str, str] = field(default_factory=dict)
