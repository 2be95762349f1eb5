"""The Temporal SDK's runtime for the worker: its metrics and its log lines join those of ADX.

The SDK's core serves its metrics from an HTTP server of its own, on a
loopback port that nobody needs to know: ``metrics_source`` reads it, and
``probes`` merges the text into the worker's ``/metrics``.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from workflows.telemetry.serving import LOCAL_HOST
from workflows.telemetry.temporal_logs import forwarded

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ObservedRuntime:
    """A runtime to give to ``Client.connect(runtime=…)``, and where its metrics are read."""

    runtime: Runtime
    metrics_port: int

    @property
    def metrics_source(self) -> Callable[[], Awaitable[bytes]]:
        """Reads the SDK's metrics; for ``probes.application(more_metrics=[…])``."""

        async def read() -> bytes:
            return await asyncio.to_thread(_read, self.metrics_port)

        return read


def observed_runtime() -> ObservedRuntime:
    """Start a runtime whose metrics and logs can be collected. One per process: each has a thread pool of its own.

    The SDK cannot report which port it took when given 0, so a free one is
    found first; another process may take it in between, hence the attempts.
    """
    failure: Exception | None = None
    for _ in range(_ATTEMPTS):
        port = _free_port()
        try:
            return ObservedRuntime(_runtime(f"{LOCAL_HOST}:{port}"), port)
        except (RuntimeError, ValueError, OSError) as error:
            failure = error
    raise RuntimeError(f"no port for the Temporal SDK's metrics after {_ATTEMPTS} attempts") from failure


def _runtime(metrics_address: str) -> Runtime:
    metrics = PrometheusConfig(
        bind_address=metrics_address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    return Runtime(telemetry=TelemetryConfig(logging=forwarded(), metrics=metrics))


def _free_port() -> int:
    with socket.create_server((LOCAL_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _read(port: int) -> bytes:
    connection = http.client.HTTPConnection(LOCAL_HOST, port, timeout=2)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"the Temporal SDK's metrics server answered with {error!r}") from error
    finally:
        connection.close()
