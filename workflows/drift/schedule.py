"""The schedules of the checks for drift: one for each environment that declares them, kept as it is delivered.

Where an environment declares none there is none. A worker that starts looks
after all of them, in case one could not be kept when it was delivered.
"""

from __future__ import annotations

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
from temporalio.service import RPCError, RPCStatusCode

from policies.errors import AdxError
from policies.infrastructure.spec import DriftRules
from workflows.drift.models import DriftInput
from workflows.drift.rules import delivered_rules
from workflows.drift.workflow import DriftWorkflow
from workflows.ledger import environments
from workflows.runtime import Runtime
from workflows.schedules import keep
from workflows.telemetry import logs

# Environments that were delivered together are not checked together.
LONGEST_JITTER = timedelta(minutes=5)


def schedule_id(task_queue: str, environment: str) -> str:
    """The id of the schedule of an environment."""
    return f"adx-drift-{task_queue}-{environment}"


async def keep_schedule(client: Client, task_queue: str, environment: str, rules: DriftRules | None) -> None:
    """Create, change or remove the schedule of ``environment``. Raises RPCError."""
    wanted = schedule_of(task_queue, environment, rules) if rules is not None else None
    await keep(client, schedule_id(task_queue, environment), wanted)


async def check_now(client: Client, task_queue: str, environment: str) -> bool:
    """Begin a check without waiting for its time; False while there is no schedule. Raises RPCError."""
    try:
        await client.get_schedule_handle(schedule_id(task_queue, environment)).trigger()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def keep_schedules(client: Client, task_queue: str, runtime: Runtime) -> None:
    """Keep the schedules of all environments that were delivered. What cannot be kept is logged."""
    for known in await environments.all_environments(runtime.ledger):
        if known.delivered_commit is None:
            continue
        try:
            rules = await delivered_rules(runtime, known.name, known.delivered_commit)
            await keep_schedule(client, task_queue, known.name, rules.drift)
        except (AdxError, RPCError) as error:
            logs.logger().warning("the schedule of drift cannot be kept", environment=known.name, why=str(error))


def schedule_of(task_queue: str, environment: str, rules: DriftRules) -> Schedule:
    """The schedule as it is to be. Pure."""
    every = timedelta(seconds=rules.check_every_seconds)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            DriftWorkflow.run,
            DriftInput(environment),
            id=f"adx-drift-{environment}",
            task_queue=task_queue,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)], jitter=min(every / 10, LONGEST_JITTER)),
        # A check that finds the one before still running has nothing to add; those missed meanwhile have neither.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
