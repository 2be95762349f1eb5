"""Durable inputs and results of waiting for workloads and of changing releases. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.models import Timeouts


@dataclass(frozen=True)
class DeployRequest:
    """Wait until the workloads of ``services`` in ``desired_state`` (a digest) run their declared version.

    ``services`` None means all services of that state; ``round_number`` is that of the restore.
    """

    environment: str
    rollout_id: str
    desired_state: str
    services: tuple[str, ...] | None
    is_restore: bool = False
    round_number: int = 0


@dataclass(frozen=True)
class Deployed:
    """All of ``services`` are ready."""

    services: tuple[str, ...]


@dataclass(frozen=True)
class ReleaseLease:
    """Who may move requests in ``environment``: ``rollout_id``, as long as it owns the environment."""

    environment: str
    rollout_id: str


@dataclass(frozen=True)
class Shift:
    """Green gets ``weight_percent`` of the requests, and is judged for ``bake_seconds``."""

    weight_percent: int
    bake_seconds: int = 0


@dataclass(frozen=True)
class ReleaseChange:
    """How one service goes from the release ``blue`` (empty: it has none) to the release ``green``; ids of both.

    ``registered_name`` is what registry and gateway call it: environments share both.
    ``interval_seconds`` is how often green is judged (0: by its health alone),
    ``ready_timeout_seconds`` how long it may take until it is healthy.
    """

    service: str
    registered_name: str
    gateway: str
    blue: str
    green: str
    blue_version: str
    green_version: str
    shifts: tuple[Shift, ...]
    mirror_percent: int = 0
    mirror_seconds: int = 0
    interval_seconds: int = 0
    ready_timeout_seconds: int = 300
    keep_blue_seconds: int = 0
    drain_seconds: int = 0

    @property
    def name(self) -> str:
        """``cart v1.4.0 → v1.5.0``, for a person."""
        before = f"{self.blue_version} → " if self.blue and self.blue != self.green else ""
        return f"{self.service} {before}{self.green_version}"


@dataclass(frozen=True)
class ReleaseSet:
    """The releases that one rollout changes.

    ``state`` is the digest of a desired state in which both releases of each run
    and blue has all the requests; ``back_state`` of one in which both run and
    green has them, and blue is what takes over. What a service depends on is in
    an earlier stage.
    """

    state: str
    stages: tuple[tuple[ReleaseChange, ...], ...]
    back_state: str = ""

    @property
    def changes(self) -> tuple[ReleaseChange, ...]:
        """All of them, dependencies first."""
        return tuple(change for stage in self.stages for change in stage)


@dataclass(frozen=True)
class ReleaseRequest:
    """Do something about ``change``; ``state`` is that of its set."""

    lease: ReleaseLease
    state: str
    change: ReleaseChange


@dataclass(frozen=True)
class ReleaseInput:
    """Let ``of.change`` happen."""

    of: ReleaseRequest
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class ReleasesToReturn:
    """The services whose requests a restore gives back to their old releases, in this order.

    ``state`` is the set's, or with ``is_blue_gone`` its ``back_state``: then the old releases have to run first.
    """

    state: str
    changes: tuple[ReleaseChange, ...]
    is_blue_gone: bool = False


@dataclass(frozen=True)
class ReturnRequest:
    """Give all requests back to blue, of the services in their order; ``turn`` as in ShiftRequest."""

    lease: ReleaseLease
    of: ReleasesToReturn
    turn: str


@dataclass(frozen=True)
class ShiftRequest:
    """Give green ``weight_percent`` of the requests and blue the rest; ``turn`` tells the shifts of a rollout apart."""

    of: ReleaseRequest
    weight_percent: int
    turn: str
    mirror_percent: int = 0


@dataclass(frozen=True)
class BakeRequest:
    """Judge green, which has ``weight_percent`` of the requests, for ``bake_seconds`` from ``began_at`` (ISO 8601)."""

    of: ReleaseRequest
    weight_percent: int
    began_at: str
    bake_seconds: int


@dataclass(frozen=True)
class Found:
    """What an activity found, as a line for a person."""

    text: str


@dataclass(frozen=True)
class ReleaseDecision:
    """A person's word: ``promote`` (``is_full``: past all that is left) or ``abort`` the release of ``service``.

    Or ``switch-back``, about all that the rollout has delivered, while the old releases are kept.
    """

    by: str
    what: str
    service: str
    reason: str = ""
    is_full: bool = False


@dataclass
class ReleaseStatus:
    """One release as a query shows it. ``weight_percent`` is green's share; times are ISO 8601.

    ``phase`` is one of ``waiting`` (for green to be healthy), ``mirroring``,
    ``shifting``, ``baking``, ``serving`` (green has all) and ``returned`` (blue has).
    """

    change: ReleaseChange
    phase: str = "waiting"
    weight_percent: int = 0
    since: str = ""
    until: str = ""
    line: str = ""
