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
from temporalio.service import RPCError, RPCStatusCode

from workflows.errors import AdxValidationError
from workflows.intake.models import Intake
from workflows.intake.workflow import IntakeWorkflow

DEFAULT_INTERVAL_SECONDS = "60"


async def ensure_poller(client: Client, task_queue: str, environ: Mapping[str, str]) -> None:
    """Create the schedule or bring it to today's interval (``ADX_POLL_SECONDS``; 0: there is none)."""
    interval_seconds = _interval(environ.get("ADX_POLL_SECONDS") or DEFAULT_INTERVAL_SECONDS)
    name = f"adx-poller-{task_queue}"
    if interval_seconds == 0:
        return await _delete(client, name)
    schedule = _schedule(task_queue, interval_seconds)
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(name).update(lambda current: _updated(current, schedule))


async def _delete(client: Client, name: str) -> None:
    try:
        await client.get_schedule_handle(name).delete()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


def _updated(current: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    """Interval and action are ours; whether an operator has paused it is theirs."""
    schedule.state = current.description.schedule.state
    return ScheduleUpdate(schedule=schedule)


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
