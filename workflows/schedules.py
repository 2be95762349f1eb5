"""Keeps a Temporal Schedule as it is wanted; whether an operator has paused it is theirs."""

from __future__ import annotations

from temporalio.client import Client, Schedule, ScheduleAlreadyRunningError, ScheduleUpdate, ScheduleUpdateInput
from temporalio.service import RPCError, RPCStatusCode


async def keep(client: Client, name: str, schedule: Schedule | None) -> None:
    """Create or change the schedule ``name``; None: there is to be none. Raises RPCError."""
    if schedule is None:
        return await _delete(client, name)
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(name).update(lambda current: _updated(current, schedule))


def _updated(current: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    """Interval and action are ours; whether an operator has paused it is theirs."""
    schedule.state = current.description.schedule.state
    return ScheduleUpdate(schedule=schedule)


async def _delete(client: Client, name: str) -> None:
    try:
        await client.get_schedule_handle(name).delete()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
