"""The poller: a Temporal Schedule that submits the branch's head, so that a lost webhook loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from workflows.errors import AdxValidationError
from workflows.intake.models import Intake
from workflows.intake.workflow import IntakeWorkflow
from workflows.schedules import keep

DEFAULT_INTERVAL_SECONDS = "60"


async def ensure_poller(client: Client, task_queue: str, environ: Mapping[str, str]) -> None:
    """Create the schedule or bring it to today's interval (``ADX_POLL_SECONDS``; 0: there is none)."""
    interval_seconds = _interval(environ.get("ADX_POLL_SECONDS") or DEFAULT_INTERVAL_SECONDS)
    wanted = _schedule(task_queue, interval_seconds) if interval_seconds else None
    await keep(client, f"adx-poller-{task_queue}", wanted)


def _schedule(task_queue: str, interval_seconds: int) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            IntakeWorkflow.run, Intake("", "adx", "poller"), id=f"adx-poll-{task_queue}", task_queue=task_queue
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=interval_seconds))]),
        # A poll that finds the one before still running has nothing to add.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )


def _interval(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise AdxValidationError(
            f"ADX_POLL_SECONDS is {text!r}", next_step="give whole seconds; 0 switches polling off"
        )
    return int(text)
