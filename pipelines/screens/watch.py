"""A rollout as it happens: a screen for terminals, and one line per event for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.screens.common import MARKS, style_of
from pipelines.screens.fleet import fleet_screen, pace_words
from pipelines.screens.next_steps import left_undone
from pipelines.screens.releases import releases_screen, shares_words
from pipelines.watching.changes import FleetChange, Progress, change_title
from pipelines.watching.releases import KEPT, ReleasesView, ReleaseView, Shares, kept_until
from pipelines.watching.view import FleetView
from pipelines.words import duration, moment, parsed, seconds_between, short
from workflows.models import StepProgress
from workflows.rollout.models import RolloutStatus
from workflows.rollout.step_names import CLEANUP_STEP, RELEASE_STEP, TENANTS_STEP


class StepEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened: to a step, a wave, a unit or its release; to the rollout where all are empty.

    docs/watch.md describes each field.
    """

    at: str
    environment: str
    rollout: str
    commit: str
    status: str
    step: str = ""
    message: str = ""
    seconds: float | None = None
    wave: str = ""
    unit: str = ""
    until: str = ""
    progress: Progress | None = None
    shares: Shares | None = None


def watch_screen(
    status: RolloutStatus,
    restore_steps: Sequence[StepProgress],
    now: datetime,
    fleet: FleetView | None = None,
    releases: ReleasesView | None = None,
) -> RenderableType:
    """The rollout with its steps, its releases, waves and steps of the restore where it has some, and how it stands."""
    parts: list[RenderableType] = [_heading(status), Text(), _steps(status.steps, now)]
    if releases is not None:
        parts += [Text(), releases_screen(releases, status.environment, now)]
    if fleet is not None:
        parts += [Text(), fleet_screen(fleet, status.environment, now)]
    if restore_steps:
        parts += [Text("\nrestore", style="bold yellow"), _steps(restore_steps, now)]
    lost = [one.unit for one in fleet.failures if one.end == "needs-operator"] if fleet is not None else []
    return Group(*parts, Text(), _standing(status), *_next(status, lost))


def _heading(status: RolloutStatus) -> Text:
    kind = "rollback to" if status.kind == "rollback" else "delivering"
    base = f"{short(status.base_commit)} → " if status.base_commit else ""
    head = Text.assemble(plain(status.environment, "bold"), f"  {kind} {base}", plain(short(status.commit), "bold"))
    return Text.assemble(head, "\n", plain(status.summary, "dim")) if status.summary else head


def _steps(steps: Sequence[StepProgress], now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=3, justify="right")
    grid.add_column(min_width=9)
    grid.add_column(min_width=10, justify="right")
    grid.add_column(overflow="fold")
    for step in steps:
        style = style_of(step.status)
        grid.add_row(
            plain(MARKS.get(step.status, "·"), style),
            plain(step.name, "dim" if step.status in ("pending", "skipped") else ""),
            plain(duration(_seconds(step, now)), "dim"),
            plain(step.message, style if step.status == "failed" else ""),
        )
    return grid


def _seconds(step: StepProgress, now: datetime) -> float | None:
    return seconds_between(parsed(step.started_at), parsed(step.finished_at) or now)


def _standing(status: RolloutStatus) -> Text:
    if status.outcome:
        return Text.assemble(plain(status.outcome, f"bold {style_of(status.outcome)}".strip()), _why(status))
    if status.waiting_for_approval:
        who = ", ".join(status.approvers) or "anybody"
        return plain(f"waiting for approval by {who}: adx approve {status.environment}", "yellow")
    if status.held_until:
        until = moment(parsed(status.held_until))
        return plain(f"held until {until} UTC: {status.held_why}; adx fleet override {status.environment}", "yellow")
    return plain(status.phase, style_of(status.phase)) if status.phase != "running" else Text("running", style="cyan")


def _next(status: RolloutStatus, lost: Sequence[str]) -> list[Text]:
    what = left_undone(status, lost)
    return [plain(f"→ {what}", "dim")] if what else []


def _why(status: RolloutStatus) -> Text:
    text = f": {status.failed_step} failed: {status.failure}" if status.failed_step else ""
    if not text and status.failure:
        text = f": {status.failure}"
    if status.revert_branch:
        text += f"; a revert is prepared on {status.revert_branch}"
    return plain(text)


def events(
    before: RolloutStatus | None,
    after: RolloutStatus,
    restore_before: Sequence[StepProgress] = (),
    restore_after: Sequence[StepProgress] = (),
    *,
    now: datetime,
) -> list[StepEvent]:
    """What happened between two looks at one rollout, in order. A step that came and went gives its end only."""
    happened: list[StepEvent] = []
    if before is None:
        happened.append(_event(after, "started", now, after.summary, _began(after)))
    happened += _step_events(after, before.steps if before else (), after.steps, "", now)
    happened += _step_events(after, restore_before, restore_after, "restore ", now)
    if after.waiting_for_approval and not (before and before.waiting_for_approval):
        happened.append(_event(after, "waiting-for-approval", now, ", ".join(after.approvers)))
    happened += _hold_events(before, after, now)
    happened += _kept_events(before, after, now)
    if after.outcome and not (before and before.outcome):
        said = (_why(after).plain.removeprefix(": ").strip(), left_undone(after))
        happened.append(_event(after, after.outcome, now, "; ".join(filter(None, said))))
    return happened


def _began(status: RolloutStatus) -> str:
    """When its first step began, which is before whoever looks now; empty where none has."""
    return min((step.started_at for step in status.steps if step.started_at), default="")


def _hold_events(before: RolloutStatus | None, after: RolloutStatus, now: datetime) -> list[StepEvent]:
    """A freeze or a closed window begins to hold the rollout, for a reason, or does not any more."""
    was = before.held_why if before is not None else ""
    if after.held_why == was:
        return []
    if not after.held_why:
        return [_event(after, "released", now, was)]
    return [msgspec.structs.replace(_event(after, "held", now, after.held_why), until=after.held_until)]


def _kept_events(before: RolloutStatus | None, after: RolloutStatus, now: datetime) -> list[StepEvent]:
    """The old releases are kept from now on; what ends that ends the step."""
    until = kept_until(after)
    if not until or (before is not None and kept_until(before) == until):
        return []
    kept = _event(after, KEPT, now, f"old releases; adx services switch-back {after.environment} goes back to them")
    return [msgspec.structs.replace(kept, step=CLEANUP_STEP, until=until)]


def _event(status: RolloutStatus, word: str, now: datetime, message: str, at: str = "") -> StepEvent:
    """Something that happened to the rollout ``at`` (ISO 8601), or was seen ``now``."""
    return StepEvent(
        at=at or now.isoformat(timespec="seconds"),
        environment=status.environment,
        rollout=status.rollout_id,
        commit=status.commit,
        status=word,
        message=message,
    )


def _step_events(
    status: RolloutStatus, before: Sequence[StepProgress], after: Sequence[StepProgress], prefix: str, now: datetime
) -> list[StepEvent]:
    known = {step.name: (step.status, step.started_at) for step in before}
    return [
        msgspec.structs.replace(
            _event(status, step.status, now, step.message, step.finished_at or step.started_at),
            step=prefix + step.name,
            seconds=None
            if step.status == "running"
            else seconds_between(parsed(step.started_at), parsed(step.finished_at)),
        )
        for step in after
        if step.status != "pending" and known.get(step.name) != (step.status, step.started_at)
    ]


def fleet_event(status: RolloutStatus, change: FleetChange, now: datetime) -> StepEvent:
    """What happened to the waves of a rollout, as an event of their step."""
    return msgspec.structs.replace(
        _event(status, change.status, now, change.message, change.at),
        step=TENANTS_STEP,
        wave=change.wave,
        unit=change.unit,
        until=change.until,
        progress=change.progress,
    )


def release_event(status: RolloutStatus, view: ReleaseView, now: datetime) -> StepEvent:
    """A release that has come into another phase, or to other shares, as an event of their step."""
    return msgspec.structs.replace(
        _event(status, view.phase, now, view.line, view.since),
        step=RELEASE_STEP,
        unit=f"service/{view.service}",
        until=view.until,
        shares=view.shares,
    )


def _title(event: StepEvent) -> str:
    if event.wave or event.unit or event.progress is not None or event.status in ("decision", "held", "released"):
        return change_title(FleetChange(event.status, event.wave, event.unit))
    return f"{event.step} {event.status}" if event.step else f"rollout {event.status} ({short(event.commit)})"


def event_line(event: StepEvent) -> Text:
    """``09:05:01 production apply succeeded 4.2 s  12 created``: one event on one line, without colours needed."""
    at = parsed(event.at)
    what = _title(event)
    took = f" {duration(event.seconds)}" if event.seconds is not None else ""
    message = f"  {shares_words(event.shares)}" if event.shares is not None else ""
    message += f"  {event.message}" if event.message else ""
    message += f"  until {moment(parsed(event.until))} UTC" if event.until else ""
    message += f"  {pace_words(event.progress.pace)}" if event.progress is not None and event.progress.pace else ""
    return plain(f"{at:%H:%M:%S} {event.environment} {what}{took}{message}")
