"""The schedule of an environment's checks: as it is declared, changed with it, and gone with it. On a real server."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from temporalio.client import ScheduleOverlapPolicy
from temporalio.service import RPCError

from policies.infrastructure.spec import DriftRules
from tests.support.local_stack import LocalStack
from workflows.connection import connect
from workflows.drift.schedule import keep_schedule, schedule_id, schedule_of


def test_a_check_is_skipped_while_one_runs_and_environments_are_spread() -> None:
    """A check that takes long must not be overtaken; what was delivered together is not checked together."""
    hourly = schedule_of("adx", "staging", DriftRules(check_every_seconds=3600))
    daily = schedule_of("adx", "staging", DriftRules(check_every_seconds=86400))

    assert hourly.policy.overlap == ScheduleOverlapPolicy.SKIP
    assert (hourly.spec.jitter, daily.spec.jitter) == (timedelta(minutes=5), timedelta(minutes=5))
    assert schedule_of("adx", "a", DriftRules(check_every_seconds=60)).spec.jitter == timedelta(seconds=6)


async def test_a_schedule_is_created_changed_and_removed_as_it_is_declared(local_stack: LocalStack) -> None:
    """An operator's pause survives a change."""
    client = await connect(local_stack.environment)
    queue = f"test-{uuid.uuid4().hex[:8]}"
    handle = client.get_schedule_handle(schedule_id(queue, "staging"))

    await keep_schedule(client, queue, "staging", None)
    await keep_schedule(client, queue, "staging", DriftRules(check_every_seconds=3600))
    first = await handle.describe()
    await handle.pause(note="by hand")
    await keep_schedule(client, queue, "staging", DriftRules(check_every_seconds=900))
    second = await handle.describe()
    await keep_schedule(client, queue, "staging", None)

    assert first.schedule.spec.intervals[0].every == timedelta(hours=1)
    assert second.schedule.spec.intervals[0].every == timedelta(minutes=15)
    assert second.schedule.state.paused
    with pytest.raises(RPCError, match="not found"):
        await handle.describe()
