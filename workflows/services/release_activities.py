"""What changes a release: green is healthy, requests move, green is judged, requests move back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity

from policies.desired_state import DesiredState
from policies.errors import AdxError
from workflows.errors import WorkloadFailed
from workflows.ledger import fencing
from workflows.runtime import Runtime
from workflows.services.gateways import Traffic, healthy_instances
from workflows.services.judging import Judge
from workflows.services.models import (
    BakeRequest,
    Found,
    ReleaseChange,
    ReleaseLease,
    ReleaseRequest,
    ReturnRequest,
    ShiftRequest,
)
from workflows.services.release_plan import inputs_of, needed_instances
from workflows.step_runner import Report, StepKey

POLL_INTERVAL_SECONDS = 0.5


class ReleaseActivities:
    """Steps on the releases of services."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @activity.defn
    async def wait_for_green(self, request: ReleaseRequest) -> Found:
        """Until as many instances of green are healthy as it must have. Raises WorkloadFailed."""
        change = request.change

        async def work(report: Report) -> Found:
            state = await self._state(request)
            needed = needed_instances(inputs_of(state, change.service))
            # Of all attempts together: another worker goes on waiting, it does not begin.
            deadline = activity.info().scheduled_time + timedelta(seconds=change.ready_timeout_seconds)
            while True:
                healthy = await healthy_instances(self._runtime, state, change)
                report(f"{healthy}/{needed} instance(s) healthy")
                if healthy >= needed:
                    return Found(f"{healthy} instance(s) healthy")
                if datetime.now(UTC) >= deadline:
                    why = f"{healthy} of {needed} instance(s) healthy after {change.ready_timeout_seconds} s"
                    raise _failed(change, why)
                await asyncio.sleep(POLL_INTERVAL_SECONDS)

        return await self._runtime.steps.run(self._key(request, "healthy", change.green), Found, work)

    @activity.defn
    async def shift(self, request: ShiftRequest) -> Found:
        """Give green its share. Raises StaleFencingToken, and what the gateway or the cluster raises."""
        of, share = request.of, request.weight_percent

        async def work(report: Report) -> Found:
            traffic = self._traffic(await self._state(of), of.lease)
            await traffic.give(of.change, share, is_mirrored=bool(request.mirror_percent))
            copies = f", copies of {request.mirror_percent} %" if request.mirror_percent else ""
            report(f"{of.change.green_version} has {share} % of the requests{copies}")
            return Found(report.message)

        name = f"mirror-{request.mirror_percent}" if request.mirror_percent else f"shift-{share}"
        return await self._runtime.steps.run(self._key(of, name, request.turn), Found, work)

    @activity.defn
    async def bake(self, request: BakeRequest) -> Found:
        """Judge green until its time is over. Raises ReleaseRejected as soon as it is found to be worse."""
        of = request.of

        async def work(report: Report) -> Found:
            judge = Judge(self._runtime, await self._state(of), request, temporal_clock())
            return Found(await judge.until_over(datetime.fromisoformat(request.began_at), report))

        name = f"bake-{request.weight_percent}"
        return await self._runtime.steps.run(self._key(of, name, request.began_at), Found, work)

    @activity.defn
    async def return_traffic(self, request: ReturnRequest) -> Found:
        """Give all requests back to the old releases, in order. Raises as ``shift`` does."""
        lease, of = request.lease, request.of

        async def work(report: Report) -> Found:
            state = await self._runtime.bodies.get(of.state, DesiredState, lease.environment)
            traffic = self._traffic(state, lease)
            failures: list[AdxError] = []
            for change in of.changes:
                try:
                    await traffic.give_back(change, is_blue_gone=of.is_blue_gone)
                except AdxError as error:  # the others are not to wait for it
                    failures.append(error)
            if failures:
                raise failures[0]
            report(f"{', '.join(change.service for change in of.changes)}: all requests to the old release")
            return Found(report.message)

        key = StepKey(lease.rollout_id, lease.environment, "return", f"{of.state}@{request.turn}")
        return await self._runtime.steps.run(key, Found, work)

    def _traffic(self, state: DesiredState, lease: ReleaseLease) -> Traffic:
        info = activity.info()
        holder = f"{info.workflow_id}.{info.workflow_run_id}.{info.activity_id}.{info.attempt}"

        async def claim() -> None:
            await fencing.renew(self._runtime.ledger, lease.environment, lease.rollout_id, holder)

        return Traffic(self._runtime, state, claim)

    async def _state(self, request: ReleaseRequest) -> DesiredState:
        return await self._runtime.bodies.get(request.state, DesiredState, request.lease.environment)

    def _key(self, request: ReleaseRequest, name: str, content: str) -> StepKey:
        lease = request.lease
        content = f"{request.state}@{content}"
        return StepKey(lease.rollout_id, lease.environment, name, content, f"service/{request.change.service}")


def temporal_clock() -> Callable[[], float]:
    """Temporal's time, in seconds since the epoch, by this machine's clock, which may be ahead of it or behind."""
    ahead_seconds = time.time() - activity.info().started_time.timestamp()
    return lambda: time.time() - ahead_seconds


def _failed(change: ReleaseChange, why: str) -> WorkloadFailed:
    return WorkloadFailed(
        f"{change.service} {change.green_version}: {why}",
        next_step=f"look at the pods of {change.service}, correct its declaration and merge again",
    )
