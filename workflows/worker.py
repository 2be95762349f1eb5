"""The worker process: polls its task queues, serves its metrics and health, keeps the poller's schedule.

One process uses one core for workflows; run several for more, of all kinds of
work or of some (``docs/workers.md``).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.worker import Worker

from infra.own_components import installed
from workflows.connection import connect
from workflows.drift.schedule import keep_schedules
from workflows.heartbeats import Heartbeats
from workflows.intake.schedule import ensure_poller
from workflows.registration import WORKFLOWS, activities_of
from workflows.retry import RetryByClass
from workflows.runtime import Runtime, open_runtime
from workflows.sandbox import sandboxed_runner
from workflows.task_queues import KINDS, Kind, Places, cells_at_once_from, kind_of, places_from, queue_of
from workflows.telemetry import logs
from workflows.telemetry.probes import application
from workflows.telemetry.serving import bind, served
from workflows.telemetry.temporal import observed_runtime
from workflows.worker_places import PulumiPlaces

MAX_LIGHT_ACTIVITIES = 16
POLLS = 2  # a worker that is paused takes one task with it for each
MAX_CACHED_WORKFLOWS = 200
HEARTBEAT_THROTTLE = timedelta(seconds=2)
SHUTDOWN_GRACE = timedelta(seconds=10)


def workers_for(
    client: Client, runtime: Runtime, task_queue: str, kinds: Sequence[Kind], places: Places
) -> list[Worker]:
    """A worker for each of ``kinds``, together doing no more at once than ``places`` allow."""
    activities = activities_of(client, runtime, task_queue)
    interceptors = [RetryByClass(), Heartbeats(), PulumiPlaces(places.pulumi_operations)]
    at_once = {"workflows": MAX_LIGHT_ACTIVITIES, "cells": places.pulumi_operations, "checks": places.checks}
    return [
        Worker(
            client,
            task_queue=queue_of(task_queue, kind),
            workflows=WORKFLOWS if kind == "workflows" else (),
            # The queue of the workflows holds work of every kind: that of rollouts which know no kinds.
            activities=[one for one in activities if kind in {"workflows", kind_of(one.__name__)}],
            interceptors=interceptors,
            workflow_runner=sandboxed_runner(),
            max_concurrent_activities=at_once[kind],
            max_concurrent_workflow_task_polls=POLLS,
            max_concurrent_activity_task_polls=POLLS,
            max_cached_workflows=MAX_CACHED_WORKFLOWS,
            max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
            default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
            graceful_shutdown_timeout=SHUTDOWN_GRACE,
        )
        for kind in kinds
    ]


async def run_worker(environ: Mapping[str, str], *, listen: str, kinds: Sequence[Kind] = KINDS) -> None:
    """Do work of ``kinds`` until SIGTERM or SIGINT. ``listen`` is the address of metrics and health.

    Raises AdxError at start-up.
    """
    places = places_from(environ)
    cells_at_once_from(environ)  # refused now, not in the middle of a rollout
    installed()  # so is a component that no restore could render with either
    observed = observed_runtime()
    client = await connect(environ, runtime=observed.runtime)
    async with contextlib.AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(environ))
        task_queue = environ["ADX_TASK_QUEUE"]
        if "workflows" in kinds:
            await ensure_poller(client, task_queue, environ)
            await keep_schedules(client, task_queue, runtime)
        probes = application(
            ready={"ledger": runtime.ledger.ping, "temporal": lambda: _answers(client)},
            more_metrics=[observed.metrics_source],
        )
        address = await stack.enter_async_context(served(probes, bind(listen)))
        stopping = _stop_event()
        async with working(workers_for(client, runtime, task_queue, kinds, places)):
            logs.logger().info("worker ready", task_queue=task_queue, kinds=list(kinds), probes=address)
            await _warn_of_unserved(client, task_queue, kinds)
            await stopping.wait()
    logs.logger().info("worker stopped")


@contextlib.asynccontextmanager
async def working(workers: Sequence[Worker]) -> AsyncIterator[None]:
    """Run ``workers``; at the end all stop at once, so that their grace is not added up."""
    async with contextlib.AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        yield
        await asyncio.gather(*(worker.shutdown() for worker in workers))


async def _warn_of_unserved(client: Client, task_queue: str, kinds: Sequence[Kind]) -> None:
    """Work of a kind that nobody does waits without an error; whoever starts workers is told."""
    for kind in [kind for kind in KINDS if kind not in kinds]:
        name = queue_of(task_queue, kind)
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        if not (await client.workflow_service.describe_task_queue(request)).pollers:
            logs.logger().warning(f"no worker does {kind}: start one with --kinds {kind}", task_queue=name)


async def _answers(client: Client) -> None:
    if not await client.service_client.check_health():
        raise ConnectionError("Temporal does not serve")


def _stop_event() -> asyncio.Event:
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, event.set)
    return event
