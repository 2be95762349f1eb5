"""The environment: where things run, who approves, what proves a delivery.

Source of truth for the shape of ``environments/<env>/environment.yaml``; the
JSON Schema beside this module says the same for people and editors.
"""

from __future__ import annotations

from policies.spec import Spec


class Approval(Spec):
    """Whether a person must agree before anything is applied, and who may."""

    required: bool = False
    approvers: tuple[str, ...] = ()
    timeout_hours: int = 72


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


class RolloutRules(Spec):
    """How long a rollout of this environment waits for its workloads."""

    ready_timeout_seconds: int = 300


class SnapshotRetention(Spec):
    """A snapshot is kept while it is among the last or young enough; the last good one always."""

    keep_last: int = 10
    keep_days: int = 30


class EnvironmentSpec(Spec):
    """``environments/<name>/environment.yaml``."""

    name: str
    description: str
    owner: str
    region: str
    namespace: str
    approval: Approval = Approval()
    rollout: RolloutRules = RolloutRules()
    post_deployment_tests: tuple[PostDeploymentTest, ...] = ()
    snapshots: SnapshotRetention = SnapshotRetention()
