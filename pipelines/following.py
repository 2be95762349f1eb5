"""Follows one submission, or one rollout, through its environment until it is settled. Pure: looks in, events out.

A submission can end in ways other than a rollout of its own: coalesced with a
newer commit (then that rollout is followed), found to be delivered already,
or left in the queue of a frozen environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from pipelines.exit_codes import ExitCode
from pipelines.screens.watch import StepEvent, events, fleet_event, release_event
from pipelines.watching.changes import Look, changes
from pipelines.watching.pace import PaceMeter
from pipelines.watching.releases import ReleasesView, as_rollout_has_it, asked_for, moved, releases_view
from pipelines.watching.view import FleetView, view_of
from workflows.fleet.durable import FleetStatus
from workflows.models import Outcome, RolloutKind, StepProgress
from workflows.rollout.models import EnvironmentStatus, RolloutStatus
from workflows.rollout.step_names import RELEASE_STEP, TENANTS_STEP
from workflows.services.models import ReleaseStatus

if TYPE_CHECKING:  # workflows.client imports temporalio
    from workflows.client import LiveStatus

IDLE_LOOKS = 6
"""An environment may look idle for a moment between choosing a submission and starting its rollout."""

EXIT_CODES: dict[str, ExitCode] = {
    "delivered": ExitCode.OK,
    "nothing-to-change": ExitCode.OK,
    "partly-delivered": ExitCode.ROLLED_BACK,
    "restored": ExitCode.ROLLED_BACK,
    "needs-operator": ExitCode.NEEDS_OPERATOR,
}


@dataclass
class Follower:
    """Where one submission stands. ``seen`` is the last rollout before it was submitted, empty if unknown."""

    environment: str
    commit: str
    kind: RolloutKind = "deliver"
    seen: str = ""
    is_ended: bool = False
    rollout: RolloutStatus | None = None
    restore_steps: Sequence[StepProgress] = ()
    line: str = ""
    frozen_reason: str = ""
    waves: FleetStatus | None = field(default=None, repr=False)
    releases: ReleasesView | None = field(default=None, repr=False)
    _idle_looks: int = field(default=0, repr=False)
    _fleet: Look | None = field(default=None, repr=False)
    _meter: PaceMeter = field(default_factory=PaceMeter, repr=False)
    _releases: dict[str, ReleaseStatus] = field(default_factory=dict, repr=False)

    def look(self, live: LiveStatus, now: datetime) -> list[StepEvent]:
        """Take in how the environment stands; what has happened to the followed rollout since the last look."""
        status = live.environment
        self.line, self.frozen_reason = live.line, status.frozen_reason
        happened = self._take_in(live, now) if self._is_of_interest(live.rollout) else []
        self.is_ended = self._has_ended(status)
        return happened

    def wants_waves(self, rollout: RolloutStatus | None) -> bool:
        """Whether this rollout has come to its tenants, and how their waves ended is not known yet."""
        if rollout is None or not self._is_of_interest(rollout):
            return False
        is_known = self.rollout is not None and self.rollout.rollout_id == rollout.rollout_id
        if is_known and self._fleet is not None and self._fleet.state.outcome is not None:
            return False
        return any(step.name == TENANTS_STEP and step.started_at for step in rollout.steps)

    def wanted_releases(self, rollout: RolloutStatus | None) -> tuple[str, ...]:
        """The services of this rollout whose releases are under way, as far as is known."""
        if rollout is None or not self._is_of_interest(rollout):
            return ()
        is_known = self.rollout is not None and self.rollout.rollout_id == rollout.rollout_id
        return asked_for(rollout, self._releases.values() if is_known else ())

    def fleet(self, now: datetime) -> FleetView | None:
        """The waves as they stand at ``now``; None where there are none, or none yet."""
        return view_of(self.waves, self._meter, now) if self.waves is not None else None

    @property
    def exit_code(self) -> ExitCode:
        """The exit status that the end deserves; a submission that needed no rollout is fine."""
        if self.frozen_reason:
            return ExitCode.NEEDS_OPERATOR
        if self.rollout is None:
            return ExitCode.OK
        return EXIT_CODES.get(self.rollout.outcome, ExitCode.FAILED)

    def _is_of_interest(self, rollout: RolloutStatus | None) -> bool:
        """Any rollout that is not older than the submission: one of a newer commit delivers ours too."""
        if rollout is None or rollout.rollout_id == self.seen:
            return False
        return bool(self.seen) or not rollout.outcome or self._is_ours(rollout) or self.rollout is not None

    def _take_in(self, live: LiveStatus, now: datetime) -> list[StepEvent]:
        assert live.rollout is not None  # noqa: S101 - the caller looked
        before = self.rollout
        is_same = before is not None and before.rollout_id == live.rollout.rollout_id
        restore_before = self.restore_steps if is_same else ()
        # The steps of a restore are only told while it runs: the last known ones stay on the screen.
        self.restore_steps = live.restore_steps or restore_before
        self.rollout = live.rollout
        if not is_same:
            self.waves, self._fleet, self._meter = None, None, PaceMeter()
            self.releases, self._releases = None, {}
        steps = events(before if is_same else None, live.rollout, restore_before, self.restore_steps, now=now)
        steps = _in_order(steps, RELEASE_STEP, self._take_in_releases(live.releases, live.rollout, now))
        return _in_order(steps, TENANTS_STEP, self._take_in_waves(live.fleet, live.rollout, now))

    def _take_in_waves(self, status: FleetStatus | None, rollout: RolloutStatus, now: datetime) -> list[StepEvent]:
        if status is None or status.state is None:
            return []
        self.waves = status
        self._meter.look(status.state, now)
        view = view_of(status, self._meter, now)
        assert view is not None  # noqa: S101 - there is a state
        before, self._fleet = self._fleet, Look(status.state, view)
        return [fleet_event(rollout, change, now) for change in changes(before, self._fleet)]

    def _take_in_releases(
        self, found: Sequence[ReleaseStatus], rollout: RolloutStatus, now: datetime
    ) -> list[StepEvent]:
        known = self._releases | {status.change.service: status for status in found}
        self._releases = {name: as_rollout_has_it(rollout, self.restore_steps, known[name]) for name in sorted(known)}
        before, self.releases = self.releases, releases_view(rollout, self._releases.values())
        return [release_event(rollout, view, now) for view in moved(before, self.releases)]

    def _has_ended(self, status: EnvironmentStatus) -> bool:
        if status.current:
            self._idle_looks = 0
            return False
        if status.frozen_reason:
            return True
        if any(self._is_wanted(other.commit, other.kind) for other in status.pending):
            self._idle_looks = 0
            return False
        if self.rollout is not None and self.rollout.outcome and self._is_ours(self.rollout):
            return True
        self._idle_looks += 1
        return self._idle_looks >= IDLE_LOOKS

    def _is_ours(self, rollout: RolloutStatus) -> bool:
        return rollout.rollout_id != self.seen and self._is_wanted(rollout.commit, rollout.kind)

    def _is_wanted(self, commit: str, kind: RolloutKind) -> bool:
        # A rollback without a commit learns its commit later.
        return kind == self.kind and (commit == self.commit or (kind == "rollback" and not self.commit))


def _in_order(steps: list[StepEvent], step: str, within: list[StepEvent]) -> list[StepEvent]:
    """What happened ``within`` a step comes before its end and all that follows it, and before the rollout's end."""
    ends = (number for number, event in enumerate(steps) if _ends(event, step))
    place = next(ends, len(steps))
    return [*steps[:place], *within, *steps[place:]]


def _ends(event: StepEvent, step: str) -> bool:
    is_end_of_step = event.step == step and event.status != "running" and not event.unit
    return is_end_of_step or (not event.step and event.status in get_args(Outcome))


@dataclass
class RolloutFollower(Follower):
    """Follows the rollout ``rollout_id``, which runs already, and nothing that comes after it."""

    rollout_id: str = ""

    def look(self, live: LiveStatus, now: datetime) -> list[StepEvent]:
        """As of a submission; the end is found also when the next rollout has begun meanwhile."""
        last = live.environment.last
        if live.environment.current != self.rollout_id and last is not None and last.rollout_id == self.rollout_id:
            live = replace(live, rollout=last)
        return super().look(live, now)

    def _is_of_interest(self, rollout: RolloutStatus | None) -> bool:
        return rollout is not None and rollout.rollout_id == self.rollout_id

    def _has_ended(self, status: EnvironmentStatus) -> bool:
        return status.current != self.rollout_id


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The exit status of several ends: the one that most needs a person."""
    order = (ExitCode.OK, ExitCode.FAILED, ExitCode.ROLLED_BACK, ExitCode.NEEDS_OPERATOR)
    return max(codes, key=lambda code: order.index(code) if code in order else 1, default=ExitCode.OK)
