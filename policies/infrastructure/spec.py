"""The environment: where things run, who approves, what proves a delivery.

Source of truth for the shape of ``environments/<env>/environment.yaml``; the
JSON Schema beside this module says the same for people and editors.
"""

from __future__ import annotations

from typing import Literal

from msgspec import field

from policies.spec import Spec

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BeyondBudget = Literal["stop", "restore_wave", "restore_all"]
HealRule = Literal["never", "always"]


class Approval(Spec):
    """Whether a person must agree before anything is applied, and who may: user names and ``role:NAME``."""

    required: bool = False
    approvers: tuple[str, ...] = ()
    timeout_hours: int = 72


class Review(Spec):
    """Holds a rollout to a plan that was previewed; ``require_approved_head``: and approved by a reviewer as it was."""

    bind_plan: bool = False
    require_approved_head: bool = False
    max_age_days: int = 30


class WorkloadReady(Spec):
    """The Deployment of ``service`` has all its replicas updated and available."""

    service: str
    timeout_seconds: int = 120


class HttpCheck(Spec):
    """A GET of ``url`` answers with ``expected_status``."""

    url: str
    expected_status: int = 200
    contains: str | None = None
    timeout_seconds: int = 30


class Command(Spec):
    """``arguments`` run without a shell on the worker and exit with status 0."""

    arguments: tuple[str, ...]
    timeout_seconds: int = 60


class PostDeploymentTest(Spec):
    """One named test; exactly one of the three kinds is set."""

    name: str
    workload_ready: WorkloadReady | None = None
    http_check: HttpCheck | None = None
    command: Command | None = None


class WorkloadsReady(Spec):
    """All workloads of the units that a wave delivered are updated and available."""

    timeout_seconds: int = 120


class PrometheusCheck(Spec):
    """Every series that ``query`` returns keeps to the threshold; no data is a failure. Exactly one threshold is set.

    Without ``url`` the Prometheus of the worker's settings is asked.
    """

    query: str
    at_most: float | None = None
    at_least: float | None = None
    url: str | None = None


class Gate(Spec):
    """One named condition of health; exactly one of the three kinds is set."""

    name: str
    workloads_ready: WorkloadsReady | None = None
    http_check: HttpCheck | None = None
    prometheus: PrometheusCheck | None = None


class FleetRules(Spec):
    """In which waves a change reaches the tenants, and what ends it.

    ``steps`` and ``failure_budget`` are numbers or percentages (``"25%"``);
    ``approval_before`` holds ``canaries`` and numbers of steps, from 1;
    ``approvers`` are user names and ``role:NAME``. An approval that nobody
    gives within ``approval_within_seconds`` (0: no limit) ends the rollout.
    ``max_cells_at_once`` is how many cells work side by side (None: as many
    as the workers' ADX_CELLS_AT_ONCE).
    """

    canaries: tuple[str, ...] = ()
    steps: tuple[int | str, ...] = ()
    bake_seconds: int = 0
    failure_budget: int | str = 0
    beyond_budget: BeyondBudget = "restore_wave"
    gates: tuple[Gate, ...] = ()
    approval_before: tuple[int | str, ...] = ()
    approvers: tuple[str, ...] = ()
    max_parallel: int = 50
    approval_within_seconds: int = 0
    max_cells_at_once: int | None = None


class RolloutRules(Spec):
    """How long a rollout waits for its workloads, and how it reaches the tenants.

    ``cells`` is over how many stacks they are spread (0: they are in the
    environment's own). With neither ``fleet`` nor ``cells`` everything is
    applied, and restored, as one.
    """

    ready_timeout_seconds: int = 300
    fleet: FleetRules | None = None
    cells: int = 0


class Freeze(Spec):
    """No rollout starts a unit from ``from_`` until ``until``: local date-times (``2026-12-18T18:00``) of the zone."""

    name: str
    reason: str
    from_: str = field(name="from")
    until: str
    time_zone: str


class Window(Spec):
    """Rollouts may start units from ``from_`` until ``until``, local times (``09:00``), on ``days``.

    An ``until`` that is earlier is on the next day; ``24:00`` ends the day.
    """

    days: tuple[Day, ...]
    from_: str = field(name="from")
    until: str
    time_zone: str


class DriftRules(Spec):
    """How often the cluster is compared with what was delivered, and whether what differs is put back.

    After ``give_up_after`` times in a row a unit is not healed any more. What the field managers ``leave_to`` have
    set, and what autoscalers have, is told and left alone.
    """

    check_every_seconds: int = 3600
    heal: HealRule = "never"
    give_up_after: int = 3
    leave_to: tuple[str, ...] = ()


class Promotion(Spec):
    """From which environment versions and values are brought here, and what must hold there before.

    ``follow`` and ``keep`` hold ``SERVICE.KEY`` of configuration values and ``flags.NAME`` of feature flags, with
    ``*`` for every one.
    """

    from_: str = field(name="from")
    time_in_place_seconds: int = 0
    no_failure_within_seconds: int = 0
    tests_passed: bool = False
    no_drift: bool = False
    follow: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


class SnapshotRetention(Spec):
    """A snapshot is kept while it is among the last or young enough; the last good one always."""

    keep_last: int = 10
    keep_days: int = 30


class EnvironmentSpec(Spec):
    """``environments/<name>/environment.yaml``. ``roles`` holds user names; ``role:NAME`` stands for them elsewhere."""

    name: str
    description: str
    owner: str
    region: str
    namespace: str
    approval: Approval = Approval()
    review: Review = Review()
    rollout: RolloutRules = RolloutRules()
    freezes: tuple[Freeze, ...] = ()
    windows: tuple[Window, ...] = ()
    post_deployment_tests: tuple[PostDeploymentTest, ...] = ()
    snapshots: SnapshotRetention = SnapshotRetention()
    drift: DriftRules | None = None
    promotion: Promotion | None = None
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
