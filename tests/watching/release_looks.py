"""Releases of services, as their workflows would give them, at fixed times."""

from __future__ import annotations

from pipelines.watching.releases import ReleasesView, releases_view
from tests.pipelines import records
from workflows.models import StepProgress, StepStatus
from workflows.rollout.models import RolloutStatus
from workflows.services.models import ReleaseChange, ReleaseStatus

NOW = records.at(seconds=31)
UNTIL = records.at(seconds=73).isoformat()
FOUND = "99.97 % of 1,204 requests succeeded (old release: 99.95 %), p99 210 ms (205 ms): no worse so far"
SLOW = "p99 810 ms, more than 25 % above the 205 ms of the old release"


def change(service: str, **fields: object) -> ReleaseChange:
    """From one version to the next."""
    known: dict[str, object] = {
        "registered_name": f"production-{service}",
        "gateway": "caddy",
        "blue": "3f2a9c1b",
        "green": "8d1e77aa",
        "blue_version": "v1.4.0",
        "green_version": "v1.5.0",
        "shifts": (),
        "mirror_percent": 10,
    }
    return ReleaseChange(service=service, **(known | fields))  # type: ignore[arg-type] # test data


def release(service: str, phase: str, weight_percent: int = 0, line: str = "", **fields: object) -> ReleaseStatus:
    """A release in ``phase`` since the start, which bakes until second 73."""
    until = UNTIL if phase in ("mirroring", "baking") else ""
    return ReleaseStatus(change(service, **fields), phase, weight_percent, records.at().isoformat(), until, line)


def rollout(release_step: StepStatus = "running", *, kept_until: str = "", outcome: str = "") -> RolloutStatus:
    """A rollout that changes releases, after its first five steps; with ``kept_until`` it keeps the old ones."""
    made = records.status(4, "succeeded")
    steps = {step.name: step for step in made.steps}
    begun, ended = records.at(seconds=25).isoformat(), records.at(seconds=27).isoformat()
    steps["deploy"].finished_at = begun
    cleanup = StepProgress("cleanup")
    if kept_until:
        steps["test"].status, steps["test"].started_at, steps["test"].finished_at = "succeeded", ended, ended
        cleanup = StepProgress("cleanup", "running", "", ended)
    made.steps.insert(5, StepProgress("release", release_step, "", begun, "" if release_step == "running" else ended))
    made.steps.insert(7, cleanup)
    made.releasing, made.kept_until, made.outcome = ["cart", "frontend"], kept_until, outcome
    return made


def view(*statuses: ReleaseStatus, of: RolloutStatus | None = None) -> ReleasesView:
    """What is shown of them."""
    found = releases_view(of or rollout(), statuses)
    assert found is not None
    return found
