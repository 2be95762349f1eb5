"""The poller: a Temporal Schedule that submits the branch's head, so that a lost webhook loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.errors import AdxValidationError
from workflows.intake.models import Intake
from workflows.intake.workflow import IntakeWorkflow

SCHEDULE_ID = "adx-poller"
DEFAULT_INTERVAL_SECONDS = "60"


async def ensure_poller(client: Client, task_queue: str, environ: Mapping[str, str]) -> None:
    """Create the schedule or bring it to today's interval (``ADX_POLL_SECONDS``; 0 switches it off)."""
    interval_seconds = _interval(environ.get("ADX_POLL_SECONDS") or DEFAULT_INTERVAL_SECONDS)
    schedule = _schedule(task_queue, interval_seconds)
    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(SCHEDULE_ID).update(lambda current: _updated(current, schedule))


def _updated(current: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    schedule.state.note = current.description.schedule.state.note
    return ScheduleUpdate(schedule=schedule)


def _schedule(task_queue: str, interval_seconds: int) -> Schedule:
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            IntakeWorkflow.run, Intake("", "adx", "poller"), id="adx-poll", task_queue=task_queue
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=max(1, interval_seconds)))]),
        # A poll that finds the one before still running has nothing to add.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    schedule.state.paused = interval_seconds == 0
    return schedule


def _interval(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise AdxValidationError(
            f"ADX_POLL_SECONDS is {text!r}", next_step="give whole seconds; 0 switches polling off"
        )
    return int(text)
