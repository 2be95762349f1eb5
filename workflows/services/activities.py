"""Waiting until the workloads of services run what was declared, or are known not to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence

from temporalio import activity

from policies.desired_state import DesiredState, ServiceInputs, digest_of
from policies.services.releases import workload_name
from workflows.errors import WorkloadFailed
from workflows.runtime import Runtime
from workflows.services.models import Deployed, DeployRequest
from workflows.services.plan import workloads_to_await
from workflows.step_runner import Report, StepKey, round_of_restore

POLL_INTERVAL_SECONDS = 0.5


class ServiceActivities:
    """Steps on the workloads of services."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def deploy(self, request: DeployRequest) -> Deployed:
        """Wait for all workloads at once; the first that cannot become ready fails the step. Raises WorkloadFailed."""

        async def work(report: Report) -> Deployed:
            state = await self._runtime.bodies.get(request.desired_state, DesiredState, request.environment)
            awaited = workloads_to_await(state, request.services)
            board = _Board(report)
            await gather_or_cancel([self._wait(inputs, board) for inputs in awaited])
            return Deployed(tuple(inputs.service.name for inputs in awaited))

        name = "redeploy" if request.is_restore else "deploy"
        content = digest_of([request.desired_state, request.services])
        if request.is_restore:
            content += round_of_restore(request.round_number)
        key = StepKey(request.rollout_id, request.environment, name, content)
        return await self._runtime.steps.run(key, Deployed, work)

    async def _wait(self, inputs: ServiceInputs, board: _Board) -> None:
        # Of two releases the new one alone: the old one may be what it is to mend.
        name, deadline = workload_name(inputs), time.monotonic() + inputs.ready_timeout_seconds
        while True:
            status = await self._runtime.cluster.rollout_status(inputs.namespace, name)
            waiting = f" ({status.waiting})" if status.waiting else ""
            board.say(name, f"{status.available}/{status.desired} ready{waiting}")
            if status.is_ready:
                return
            if status.failure is not None:
                raise _failed(inputs, status.failure)
            if time.monotonic() >= deadline:
                raise _failed(inputs, f"not ready after {inputs.ready_timeout_seconds} s{waiting}")
            await asyncio.sleep(POLL_INTERVAL_SECONDS)


class _Board:
    """Puts the lines of several workloads into one report: those not ready yet."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: dict[str, str] = {}

    def say(self, name: str, line: str) -> None:
        self._lines[name] = line
        self._report(", ".join(f"{name} {text}" for name, text in sorted(self._lines.items())))


async def gather_or_cancel(waits: Sequence[Coroutine[None, None, None]]) -> None:
    """Run all of ``waits``; when one fails the others are cancelled and its error raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for wait in waits:
                group.create_task(wait)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _failed(inputs: ServiceInputs, why: str) -> WorkloadFailed:
    service = inputs.service
    return WorkloadFailed(
        f"{service.name} {service.version} in {inputs.namespace}: {why}",
        next_step=f"look at the pods of {service.name}, correct its declaration and merge again",
    )
