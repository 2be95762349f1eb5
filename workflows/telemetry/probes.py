"""``/metrics``, ``/healthz`` and ``/readyz`` for worker and receiver.

``/healthz`` says that the process answers at all: restart it when it does
not. ``/readyz`` runs the checks and names those that failed: send it no work
until they pass. ``/metrics`` holds the metrics of ADX and, in the worker,
those of the Temporal SDK merged in behind them, so that one scrape has both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from workflows.telemetry import logs, metrics

Check = Callable[[], Awaitable[object]]
"""Returns when the part answers, raises when it does not."""

MetricsSource = Callable[[], Awaitable[bytes]]
"""More metrics in Prometheus' text format; names must not repeat those of ADX."""

CHECK_TIMEOUT_SECONDS = 3.0


def application(ready: Mapping[str, Check], more_metrics: Sequence[MetricsSource] = ()) -> Starlette:
    """An application that answers nothing but the three probes."""
    return Starlette(routes=routes(ready, more_metrics))


def routes(checks: Mapping[str, Check], more_metrics: Sequence[MetricsSource] = ()) -> list[Route]:
    """The three routes, for an application that has others too."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_request: Request) -> Response:
        failed = await failures(checks)
        body = {"ready": not failed, "checks": sorted(checks), "failed": failed}
        return JSONResponse(body, status_code=503 if failed else 200)

    async def exposition(_request: Request) -> Response:
        parts = [metrics.exposition(), *await asyncio.gather(*(_collected(source) for source in more_metrics))]
        return Response(b"".join(parts), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", live), Route("/readyz", ready), Route("/metrics", exposition)]


async def failures(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all ``checks`` at once; the names of those that failed, with the class of the error.

    Messages are left out: they can quote addresses with passwords, and
    probes are read without authentication. They are in the log.
    """
    outcomes = await asyncio.gather(*(_outcome(name, check) for name, check in checks.items()))
    return {name: failure for name, failure in zip(checks, outcomes, strict=True) if failure is not None}


async def _outcome(name: str, check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever a part raises is the answer "not ready"
        logs.logger().warning("readiness check failed", check=name, error=repr(error))
        return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return None


async def _collected(source: MetricsSource) -> bytes:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await source()
    except OSError as error:  # TimeoutError is one
        logs.logger().warning("metrics source does not answer", error=repr(error))
        return b""
