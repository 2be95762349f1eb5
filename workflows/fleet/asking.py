"""Asks what a gate asks, where that is one question: an HTTP address, or Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from policies.infrastructure.spec import Gate, PrometheusCheck
from workflows.clients import prometheus
from workflows.errors import AdxValidationError, PostDeploymentTestFailed
from workflows.fleet.gates import why_not
from workflows.rollout import post_deployment


async def why_gate_not(gate: Gate, environ: Mapping[str, str]) -> str:
    """Why ``gate`` does not hold; empty when it does, and for one about workloads, which callers watch themselves.

    Raises AdxConnectionError and AdxTimeoutError where Prometheus cannot be asked.
    """
    try:
        if gate.http_check is not None:
            await post_deployment.http_check(gate.name, gate.http_check)
        elif gate.prometheus is not None:
            found = await prometheus.query(_address(gate.prometheus, environ), gate.prometheus.query)
            return why_not(gate.prometheus, found)
    except (PostDeploymentTestFailed, AdxValidationError) as error:
        return str(error)
    return ""


def _address(check: PrometheusCheck, environ: Mapping[str, str]) -> str:
    address = check.url or environ.get("ADX_PROMETHEUS_URL", "")
    if not address:
        raise AdxValidationError("no Prometheus is named: set url in the gate, or ADX_PROMETHEUS_URL for the workers")
    return address
