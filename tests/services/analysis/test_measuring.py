"""Two releases, measured through a real Prometheus that scrapes a process of the test."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from policies.services.analysis.judge import judge
from policies.services.analysis.looks import Look
from policies.services.analysis.models import (
    Evidence,
    LatencyRule,
    Measured,
    QueryRule,
    RateRule,
    RequestCounts,
    Rules,
)
from tests.support.local_stack import PrometheusServer
from tests.support.waiting import wait_until
from workflows.clients import prometheus
from workflows.errors import AdxConnectionError, AdxValidationError
from workflows.services.measuring import Subject, Window, fill, measure

PROGRAM = Path(__file__).with_name("counting_process.py")
RULES = Rules(
    rate=RateRule(worse_by=0.01, at_most=0.05), latency=(LatencyRule(0.95, worse_by=0.25, at_most_seconds=0.5),)
)
# By service: what green and blue do, as (ok, failed, seconds).
SCENARIOS = {
    "good": ((1500, 1, 0.03), (1500, 1, 0.03)),
    "bad": ((450, 50, 0.03), (1500, 0, 0.03)),
    "slow": ((1500, 0, 0.9), (1500, 0, 0.03)),
    "few": ((20, 3, 0.03), (1500, 0, 0.03)),
}


@dataclass
class Gateway:
    """The counting process, and Prometheus that scrapes it."""

    server: PrometheusServer
    process: subprocess.Popen[str]
    port: int
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def count(self, service: str, release: str, ok: int, failed: int = 0, seconds: float = 0.03) -> None:
        """Returns once it is counted."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        said = {"service": self.name(service), "release": release, "ok": ok, "failed": failed, "seconds": seconds}
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "\n"

    def name(self, service: str) -> str:
        """Of a service that no other test has."""
        return f"{service}-{self.run}"

    def wait_for(self, query: str, value: float) -> float:
        """Until Prometheus gives ``value``; returns the time then."""
        read = lambda: asyncio.run(prometheus.query(self.server.url, query))  # noqa: E731 - read twice by wait_until
        wait_until(read, lambda found: list(found.values()) == [value])
        return time.time()

    def scraped(self, service: str, release: str, value: float) -> float:
        """Until Prometheus has seen as many requests; returns the time then."""
        labels = f'service="{self.name(service)}",release="{release}"'
        return self.wait_for(f"sum(adx_gateway_requests_total{{{labels}}})", value)

    def measure(self, service: str, window: Window, **more: object) -> Evidence:
        """Green and blue of a service."""
        subject = Subject("staging", self.name(service), "green", "blue")
        return asyncio.run(measure(self.server.url, subject, window, interval_seconds=1, **more))  # type: ignore[arg-type]


@contextmanager
def counting(server: PrometheusServer, port: int = 0) -> Iterator[Gateway]:
    """A process that Prometheus has begun to scrape."""
    command = [sys.executable, str(PROGRAM), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        gateway = Gateway(server, process, int(process.stdout.readline()))
        file = server.targets / f"{gateway.run}.json"
        try:
            address = f"127.0.0.1:{gateway.port}"
            file.write_text(json.dumps([{"targets": [address]}]))
            gateway.wait_for(f'up{{instance="{address}"}}', 1)
            yield gateway
        finally:
            file.unlink()
            process.communicate()


@pytest.fixture(scope="module")
def gateway(prometheus_server: PrometheusServer) -> Iterator[Gateway]:
    with counting(prometheus_server) as found:
        yield found


@pytest.fixture(scope="module")
def window(gateway: Gateway) -> Window:
    """All scenarios happen in it, each in one burst: the first that Prometheus sees of a series is all there is."""
    start = time.time()
    for service, (green, blue) in SCENARIOS.items():
        gateway.count(service, "green", *green)
        gateway.count(service, "blue", *blue)
    for service, (green, blue) in SCENARIOS.items():
        gateway.scraped(service, "green", green[0] + green[1])
        gateway.scraped(service, "blue", blue[0] + blue[1])
    return Window(start, time.time())


@pytest.mark.parametrize("service", SCENARIOS)
def test_requests_are_counted_exactly(gateway: Gateway, window: Window, service: str) -> None:
    """Every request, also those that were there when Prometheus first saw the series."""
    found = gateway.measure(service, window)
    green, blue = SCENARIOS[service]
    assert found.green.requests == RequestCounts(green[0] + green[1], green[1])
    assert found.blue.requests == RequestCounts(blue[0] + blue[1], blue[1])
    assert found.green.latency.total == green[0] + green[1]
    fast = found.green.latency.cumulative[found.green.latency.bounds_seconds.index(0.05)]
    assert fast == (0 if service == "slow" else green[0] + green[1])


def test_increase_would_have_seen_no_error(gateway: Gateway, window: Window) -> None:
    """Why the samples are read: the series of 503 has one value only, so PromQL knows of no rise."""
    query = f'sum(increase(adx_gateway_requests_total{{service="{gateway.name("bad")}",code="503"}}[5m]))'
    assert sum(asyncio.run(prometheus.query(gateway.server.url, query)).values()) == 0
    assert gateway.measure("bad", window).green.requests.failed == 50


@pytest.mark.parametrize(
    ("service", "outcome", "said"),
    [
        ("good", "pass", "all 4 checks hold"),
        ("bad", "fail", "failed requests against blue"),
        ("slow", "fail", "latency p95 against blue"),
        ("few", "inconclusive", "too few requests: green 23"),
        ("silent", "inconclusive", "no data: no requests of green and blue"),
    ],
)
def test_verdict(gateway: Gateway, window: Window, service: str, outcome: str, said: str) -> None:
    """From what Prometheus has to a verdict, at the first of four looks; what is unclear then fails at the end."""
    evidence = gateway.measure(service, window)
    verdict = judge(RULES, evidence, Look(1, 4))
    assert verdict.outcome == outcome, verdict.reason
    assert said in verdict.reason
    at_the_end = judge(RULES, evidence, Look(4, 4, is_last=True))
    assert at_the_end.outcome == ("pass" if outcome == "pass" else "fail")


def test_the_last_two_intervals_are_measured_apart(gateway: Gateway, window: Window) -> None:
    """Seven requests, then five lately; blue's window before the switch stands for both where it is given."""
    gateway.count("late", "green", 7)
    gateway.count("late", "blue", 2)
    before = max(gateway.scraped("late", "green", 7), gateway.scraped("late", "blue", 2))
    gateway.count("late", "green", 4, 1)
    interval = math.ceil(gateway.scraped("late", "green", 12) - before)
    subject = Subject("staging", gateway.name("late"), "green", "blue")
    whole = Window(window.start_seconds, before + 2 * interval)
    ask = functools.partial(measure, gateway.server.url, subject, whole, interval_seconds=interval)
    found = asyncio.run(ask())
    assert (found.green.requests, found.blue.requests) == (RequestCounts(12, 1), RequestCounts(2))
    assert found.recent_green is not None
    assert found.recent_green.requests == RequestCounts(5, 1)
    assert found.recent_green.latency.total == 5
    assert found.recent_blue is not None
    assert found.recent_blue.requests == RequestCounts()
    apart = asyncio.run(ask(blue_window=Window(window.start_seconds, before)))
    assert not apart.is_same_time
    assert apart.recent_blue == apart.blue
    assert apart.blue.requests == RequestCounts(2)


def test_a_restarted_gateway_loses_no_request(prometheus_server: PrometheusServer) -> None:
    """100 before the window, 50 within; then it starts again from 0 and counts 30, and 3 errors for the first time."""
    with ExitStack() as first:
        before = first.enter_context(counting(prometheus_server))
        before.count("cart", "green", 100)
        start = before.scraped("cart", "green", 100)
        before.count("cart", "green", 50)
        before.scraped("cart", "green", 150)
    with counting(prometheus_server, before.port) as after:
        after.run = before.run
        after.count("cart", "green", 30, 3)
        end = after.scraped("cart", "green", 33)
        found = after.measure("cart", Window(start, end))
    assert found.green.requests == RequestCounts(83, 3)
    assert found.green.latency.total == 83
    assert found.blue == Measured()


def test_declared_queries_give_values_at_the_same_instants(gateway: Gateway, window: Window) -> None:
    """One a second for each release, and what comes of them."""
    later = Window(window.end_seconds, window.end_seconds + 3)
    wait_until(time.time, lambda now: now > later.end_seconds)
    text = 'sum(adx_gateway_requests_total{service="$service",release="${release}",code=~"5..$"}) or vector(0)'
    found = gateway.measure("bad", later, queries={"errors": text}).queries["errors"]
    assert [(sample.at_seconds, sample.value) for sample in found.green] == [(1.0, 50.0), (2.0, 50.0), (3.0, 50.0)]
    assert [sample.value for sample in found.blue] == [0.0, 0.0, 0.0]
    rules = Rules(queries=(QueryRule("errors", at_most=5),))
    assert judge(rules, Evidence(queries={"errors": found}), Look(1, 4)).outcome == "fail"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('adx_gateway_requests_total{service="$service"}', "gives 3 series"),
        ("sum(up{release=$relase})", r"names \$relase, which is unknown"),
        ("sum(", "refuses the query"),
    ],
)
def test_a_query_that_cannot_be_used_is_said(gateway: Gateway, window: Window, text: str, said: str) -> None:
    """More than one number, a variable nobody knows, and what is no PromQL."""
    with pytest.raises(AdxValidationError, match=said):
        gateway.measure("bad", window, queries={"errors": text})


def test_a_prometheus_that_is_not_there_is_no_verdict() -> None:
    """An outage of the measuring is asked again, and not green's failure."""
    now = time.time()
    subject = Subject("staging", "cart", "green", "blue")
    with pytest.raises(AdxConnectionError):
        asyncio.run(measure("http://127.0.0.1:1", subject, Window(now - 60, now), interval_seconds=1))


@pytest.mark.parametrize("name", ['a"} or up{x="', "a|b", "", "-", "a\n"])
def test_names_that_would_change_a_query_are_refused(name: str) -> None:
    """A label's value ends at a quote, and a regular expression goes on behind a bar."""
    with pytest.raises(AdxValidationError, match="cannot be the value of a label"):
        Subject("staging", name, "green")


def test_variables_are_put_in() -> None:
    """All four; a dollar that begins no name stays."""
    subject = Subject("staging", "cart", "1a2b3c4d", "5e6f7a8b")
    text = 'rate(x{service="$service",release="$release",env="${environment}",code=~"5..$"}[$interval])'
    assert fill(text, subject, subject.blue, interval_seconds=15) == (
        'rate(x{service="cart",release="5e6f7a8b",env="staging",code=~"5..$"}[15s])'
    )
