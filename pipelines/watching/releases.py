"""How the releases of a rollout stand: which versions, who has which share of the requests, until when. Pure.

What a release says of itself ends with its own workflow; what the rollout has
made of it since (delivered, or taken back) comes from the rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from workflows.models import StepProgress
from workflows.rollout.models import RolloutStatus
from workflows.rollout.step_names import CLEANUP_STEP, RELEASE_STEP, TRAFFIC_STEP
from workflows.services.models import ReleaseChange, ReleaseStatus

SETTLED = ("serving", "returned")
"""Phases after which a release says nothing new by itself."""
PHASES = ("waiting", "mirroring", "shifting", "baking", *SETTLED)
KEPT = "kept"
_DELIVERED = ("delivered", "partly-delivered")


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two: its version, its share of the requests, and its id where its pods say which they are of."""

    version: str
    weight_percent: int
    id: str = ""


class Shares(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who has which share. ``blue`` is the old release, None where there is none.

    ``mirror_percent``: of how many requests green answers copies, beside its share.
    """

    green: Release
    blue: Release | None = None
    mirror_percent: int = 0


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The release of one service. ``since`` and ``until`` (the end of a bake) are ISO 8601."""

    service: str
    phase: str
    shares: Shares
    since: str = ""
    until: str = ""
    line: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether one of the two has all requests, and nothing is being found out."""
        return self.phase in SETTLED


class ReleasesView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All releases of a rollout; ``kept_until`` (ISO 8601) is how long the old ones can be switched back to."""

    releases: tuple[ReleaseView, ...]
    kept_until: str = ""


def releases_view(rollout: RolloutStatus, statuses: Iterable[ReleaseStatus]) -> ReleasesView | None:
    """What is to be shown; None where no service has begun to change its release."""
    views = tuple(map(_view, statuses))
    return ReleasesView(releases=views, kept_until=kept_until(rollout)) if views else None


def as_rollout_has_it(
    rollout: RolloutStatus, restore_steps: Sequence[StepProgress], status: ReleaseStatus
) -> ReleaseStatus:
    """``status``, or what the rollout has made of it since: a rollout that goes back takes all releases back."""
    if status.phase == "returned":
        return status
    if _is_taken_back(rollout, restore_steps):
        return replace(status, phase="returned", weight_percent=0, since="", until="", line="")
    is_released = any(step.name == RELEASE_STEP and step.status == "succeeded" for step in rollout.steps)
    if (is_released or rollout.outcome in _DELIVERED) and status.phase != "serving":
        return replace(status, phase="serving", weight_percent=100, since="", until="", line="")
    return status


def kept_until(rollout: RolloutStatus) -> str:
    """How long old releases are kept (ISO 8601); empty once they are not, or are being taken back already."""
    is_keeping = any(step.name == CLEANUP_STEP and step.status == "running" for step in rollout.steps)
    return rollout.kept_until if is_keeping and not rollout.outcome else ""


def moved(before: ReleasesView | None, after: ReleasesView | None) -> tuple[ReleaseView, ...]:
    """The releases whose phase or shares are not what they were."""
    if after is None:
        return ()
    was = {view.service: (view.phase, view.shares) for view in before.releases} if before is not None else {}
    return tuple(view for view in after.releases if was.get(view.service) != (view.phase, view.shares))


def asked_for(rollout: RolloutStatus, known: Iterable[ReleaseStatus]) -> tuple[str, ...]:
    """The services about which the rollout's releases have something new to say."""
    settled = {status.change.service for status in known if status.phase in SETTLED}
    return tuple(name for name in rollout.releasing if name not in settled)


def _is_taken_back(rollout: RolloutStatus, restore_steps: Sequence[StepProgress]) -> bool:
    is_given_back = any(step.name == TRAFFIC_STEP and step.status == "succeeded" for step in restore_steps)
    return is_given_back or (bool(rollout.restore_id) and rollout.outcome in ("restored", "cancelled"))


def _view(status: ReleaseStatus) -> ReleaseView:
    return ReleaseView(
        service=status.change.service,
        phase=status.phase,
        shares=_shares(status.change, status),
        since=status.since,
        until=status.until,
        line=status.line,
    )


def _shares(change: ReleaseChange, status: ReleaseStatus) -> Shares:
    weight = status.weight_percent
    blue = Release(version=change.blue_version, id=change.blue, weight_percent=100 - weight)
    return Shares(
        green=Release(version=change.green_version, id=change.green, weight_percent=weight),
        blue=blue if change.blue_version else None,
        mirror_percent=change.mirror_percent if status.phase == "mirroring" else 0,
    )
