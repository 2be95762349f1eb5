"""Whether those who read new values are well: their probes, and what the environment declares as gates.

Probes are asked by Kubernetes: a service is well while all its replicas are
available. It has to stay so for as long as Kubernetes needs to notice a
readiness probe that fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from policies.desired_state import DesiredState, ServiceInputs
from policies.infrastructure.spec import EnvironmentSpec, Gate
from policies.services.releases import workload_name
from workflows.configuration.durable import Healthy
from workflows.errors import AdxConnectionError, AdxTimeoutError, PostDeploymentTestFailed
from workflows.fleet.asking import why_gate_not
from workflows.runtime import Runtime
from workflows.step_runner import Report

WITHIN_SECONDS = 120.0
LONGEST_HOLD_SECONDS = 60.0
POLL_INTERVAL_SECONDS = 0.5


async def await_health(
    runtime: Runtime, names: Iterable[str], state: DesiredState, rules: EnvironmentSpec, report: Report
) -> Healthy:
    """Return once all conditions held for as long as they must. Raises PostDeploymentTestFailed after 2 minutes."""
    services = readers(names, state)
    gates = [gate for gate in rules.rollout.fleet.gates if gate.workloads_ready is None] if rules.rollout.fleet else []
    hold_seconds, deadline = hold_of(services), time.monotonic() + WITHIN_SECONDS
    well_since: float | None = None
    while True:
        why = await _why_not(runtime, services, gates)
        now = time.monotonic()
        well_since = None if why else (well_since or now)
        if well_since is not None and now - well_since >= hold_seconds:
            return Healthy([one.service.name for one in services], [gate.name for gate in gates])
        if now >= deadline:
            raise PostDeploymentTestFailed(
                f"the new configuration is not well received: {why or 'it did not hold long enough'}",
                next_step="correct the values and merge again; the ones before are being restored",
            )
        report(why or f"well for {now - (well_since or now):.0f} of {hold_seconds:.0f} s")
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


def readers(names: Iterable[str], state: DesiredState) -> list[ServiceInputs]:
    """The services called ``names`` that the state has, in order of their names."""
    wanted = set(names)
    found = [unit.inputs for unit in state.units if isinstance(unit.inputs, ServiceInputs)]
    return sorted((one for one in found if one.service.name in wanted), key=lambda one: one.service.name)


def hold_of(services: Iterable[ServiceInputs]) -> float:
    """How long Kubernetes needs to notice a failing readiness probe of any of ``services``, in seconds."""
    probes = [one.service.probes.readiness for one in services]
    longest = max((probe.period_seconds * probe.failure_threshold for probe in probes if probe is not None), default=0)
    return min(float(longest), LONGEST_HOLD_SECONDS)


async def _why_not(runtime: Runtime, services: Iterable[ServiceInputs], gates: Iterable[Gate]) -> str:
    """The first condition that does not hold; empty when all do."""
    for one in services:
        status = await runtime.cluster.rollout_status(one.namespace, workload_name(one))
        if not status.is_ready:
            counted = f"{one.service.name} has {status.available} of {status.desired} replicas"
            return f"{counted}: {status.failure}" if status.failure else counted
    for gate in gates:
        if why := await _why_gate_not(runtime, gate):
            return f"gate {gate.name}: {why}"
    return ""


async def _why_gate_not(runtime: Runtime, gate: Gate) -> str:
    """A gate that cannot be asked does not hold: whoever sees nothing has proved nothing."""
    try:
        return await why_gate_not(gate, runtime.environ)
    except (AdxConnectionError, AdxTimeoutError) as error:
        return str(error)
