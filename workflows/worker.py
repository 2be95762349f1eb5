"""The worker process: polls the task queue, serves its metrics and health, keeps the poller's schedule.

One process uses one core for workflows; run several for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from workflows.cells.activities import CellActivities
from workflows.connection import connect
from workflows.fleet.activities import FleetActivities
from workflows.fleet.workflow import FleetWorkflow
from workflows.infrastructure.activities import InfrastructureActivities
from workflows.intake.activities import IntakeActivities
from workflows.intake.schedule import ensure_poller
from workflows.intake.workflow import IntakeWorkflow
from workflows.retry import RetryByClass
from workflows.rollout.activities import RolloutActivities
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.runtime import Runtime, open_runtime
from workflows.sandbox import sandboxed_runner
from workflows.services.activities import ServiceActivities
from workflows.telemetry import logs
from workflows.telemetry.probes import application
from workflows.telemetry.serving import bind, served
from workflows.telemetry.temporal import observed_runtime

WORKFLOWS = (EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow, FleetWorkflow, IntakeWorkflow)
MAX_ACTIVITIES = 16
MAX_CACHED_WORKFLOWS = 200
HEARTBEAT_THROTTLE = timedelta(seconds=2)
SHUTDOWN_GRACE = timedelta(seconds=10)


def worker_for(client: Client, runtime: Runtime, task_queue: str) -> Worker:
    """A worker with all workflows and activities of ADX."""
    infrastructure, services = InfrastructureActivities(runtime), ServiceActivities(runtime)
    rollout, intake = RolloutActivities(runtime), IntakeActivities(runtime, client, task_queue)
    fleet = FleetActivities(runtime)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[
            infrastructure.snapshot,
            infrastructure.plan,
            infrastructure.apply,
            infrastructure.repair,
            infrastructure.verify_restore,
            services.deploy,
            rollout.choose,
            rollout.is_newer,
            rollout.record_decision,
            rollout.validate,
            rollout.bind,
            rollout.run_tests,
            rollout.finish,
            rollout.thaw,
            intake.take_in,
            CellActivities(runtime).deliver_cell,
            fleet.claim_environment,
            fleet.plan_fleet,
            fleet.check_gates,
            fleet.read_calendar,
            fleet.settle,
        ],
        interceptors=[RetryByClass()],
        workflow_runner=sandboxed_runner(),
        max_concurrent_activities=MAX_ACTIVITIES,
        max_cached_workflows=MAX_CACHED_WORKFLOWS,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
    )


async def run_worker(environ: Mapping[str, str], *, listen: str) -> None:
    """Work until SIGTERM or SIGINT. ``listen`` is the address of metrics and health. Raises AdxError at start-up."""
    observed = observed_runtime()
    client = await connect(environ, runtime=observed.runtime)
    async with contextlib.AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(environ))
        task_queue = environ["ADX_TASK_QUEUE"]
        await ensure_poller(client, task_queue, environ)
        probes = application(
            ready={"ledger": runtime.ledger.ping, "temporal": lambda: _answers(client)},
            more_metrics=[observed.metrics_source],
        )
        address = await stack.enter_async_context(served(probes, bind(listen)))
        stopping = _stop_event()
        async with worker_for(client, runtime, task_queue):
            logs.logger().info("worker ready", task_queue=task_queue, probes=address)
            await stopping.wait()
    logs.logger().info("worker stopped")


async def _answers(client: Client) -> None:
    if not await client.service_client.check_health():
        raise ConnectionError("Temporal does not serve")


def _stop_event() -> asyncio.Event:
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, event.set)
    return event
