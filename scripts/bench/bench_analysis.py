"""What one judgement of a new release costs: asking a real Prometheus for both releases, counting, and the verdict."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from policies.services.analysis.judge import judge
from policies.services.analysis.looks import Look
from policies.services.analysis.models import LatencyRule, RateRule, Rules
from scripts.bench.rows import Row, absolute
from scripts.stack import Home, Stack
from scripts.stack.parts import prometheus as part
from workflows.clients import prometheus
from workflows.services.measuring import Subject, Window, measure

JUDGEMENT = "services.analysis"
LIMIT_MS = 100.0
RUNS = 20
SECONDS = 20
RULES = Rules(
    rate=RateRule(worse_by=0.01, at_most=0.05), latency=(LatencyRule(0.99, worse_by=0.25, at_most_seconds=0.5),)
)
SUBJECT = Subject("bench", "cart", "green", "blue")


def rows(only: str) -> list[Row]:
    """The figure, if its name contains ``only``."""
    if only not in JUDGEMENT:
        return []
    with tempfile.TemporaryDirectory() as folder, _scraped(Path(folder)) as url:
        end = time.time()
        return [absolute(JUDGEMENT, asyncio.run(_judged(url, Window(end - SECONDS, end))), "ms", LIMIT_MS)]


async def _judged(url: str, window: Window) -> list[float]:
    """How long each took, in ms."""
    found = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        evidence = await measure(url, SUBJECT, window, interval_seconds=5)
        verdict = judge(RULES, evidence, Look(1, 20))
        found.append((time.perf_counter() - begun) * 1000)
        if verdict.outcome == "fail" or not evidence.green.requests.total:
            raise SystemExit(f"the releases of the benchmark are good, but: {verdict.reason}")
    return found


@contextmanager
def _scraped(folder: Path) -> Iterator[str]:
    """The URL of a Prometheus that has scraped both releases for a while, every second."""
    registry = CollectorRegistry()
    requests = Counter("adx_gateway_requests", "Requests.", ["service", "release", "code"], registry=registry)
    names = ["service", "release"]
    durations = Histogram("adx_gateway_request_duration_seconds", "Seconds.", names, registry=registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    stack = Stack(folder)
    stack.up([part.PART.name])
    try:
        targets = part.targets_folder(Home(folder)) / "bench.json"
        targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{server.server_port}"]}]))
        url = stack.environment()["ADX_PROMETHEUS_URL"]
        scrapes = 0.0
        while scrapes < SECONDS:
            for release in ("green", "blue"):
                requests.labels("cart", release, "200").inc()
                durations.labels("cart", release).observe(0.03)
            time.sleep(0.02)
            found = asyncio.run(prometheus.query(url, 'count_over_time(up{job="files"}[1h])'))
            scrapes = max(found.values(), default=0.0)
        yield url
    finally:
        stack.down()
        server.shutdown()
        thread.join()
