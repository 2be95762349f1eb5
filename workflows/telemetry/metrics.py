"""The Prometheus metrics of ADX: names, labels and the functions that count.

One registry of its own, so that tests and embedding programs see only what
belongs to ADX. Labels are of bounded number: environments, steps, outcomes,
never commits, units or tenants.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

# They double the number of series, and nobody asks for them.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client does not annotate it
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

ROLLOUTS = Counter("adx_rollouts", "Rollouts finished.", ["environment", "outcome"], registry=REGISTRY)
STEP_SECONDS = Histogram(
    "adx_step_duration_seconds",
    "How long each step of a rollout took.",
    ["environment", "step", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800),
    registry=REGISTRY,
)
RESTORES = Counter("adx_restores", "Restores finished, by outcome.", ["environment", "outcome"], registry=REGISTRY)
WEBHOOK_DELIVERIES = Counter(
    "adx_webhook_deliveries", "Webhook deliveries, by outcome.", ["outcome"], registry=REGISTRY
)
DRIFT_CHECKS = Counter(
    "adx_drift_checks", "Scheduled checks for drift, by what they found.", ["environment", "outcome"], registry=REGISTRY
)
DRIFT_CHECKED_AT = Gauge(
    "adx_drift_last_check_timestamp_seconds",
    "When this worker last compared the environment with what was delivered, in seconds since 1970.",
    ["environment"],
    registry=REGISTRY,
)
DRIFTED_UNITS = Gauge("adx_drifted_units", "Units that have drifted.", ["environment"], registry=REGISTRY)
GIVEN_UP_UNITS = Gauge(
    "adx_drift_given_up_units", "Units that drift again and again and are healed no more.", ["environment"],
    registry=REGISTRY,
)  # fmt: skip
HEALED_UNITS = Counter(
    "adx_drift_healed_units", "Units in heals, by how the heal ended.", ["environment", "outcome"], registry=REGISTRY
)
BUILD = Gauge("adx_build_info", "The running version; always 1.", ["version"], registry=REGISTRY)


def _version() -> str:
    try:
        return version("adx")
    except PackageNotFoundError:
        return "source"  # run from a checkout that is not installed


BUILD.labels(version=_version()).set(1)


def exposition() -> bytes:
    """All metrics of ADX in Prometheus' text format."""
    return generate_latest(REGISTRY)


def rollout_finished(environment: str, outcome: str) -> None:
    """Count one finished rollout; ``outcome`` is its status in the ledger."""
    ROLLOUTS.labels(environment=environment, outcome=outcome).inc()


def restore_finished(environment: str, outcome: str) -> None:
    """Count one finished restore; ``outcome`` is ``verified`` or ``failed``."""
    RESTORES.labels(environment=environment, outcome=outcome).inc()


@contextmanager
def timed_step(environment: str, step: str) -> Iterator[None]:
    """Time one step; the outcome is ``failed`` when the block raises (cancellation included), else ``succeeded``."""
    started = time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = "succeeded"
    finally:
        step_finished(environment, step, outcome, time.monotonic() - started)


def step_finished(environment: str, step: str, outcome: str, seconds: float) -> None:
    """Record the duration of one step."""
    STEP_SECONDS.labels(environment=environment, step=step, outcome=outcome).observe(seconds)


def drift_checked(environment: str, outcome: str) -> None:
    """Count one check for drift; only one that could compare counts as the last check."""
    DRIFT_CHECKS.labels(environment=environment, outcome=outcome).inc()


def drift_found(environment: str, *, drifted: int, given_up: int) -> None:
    """Show how many units of ``environment`` have drifted, and how many of them are healed no more."""
    DRIFT_CHECKED_AT.labels(environment=environment).set_to_current_time()
    DRIFTED_UNITS.labels(environment=environment).set(drifted)
    GIVEN_UP_UNITS.labels(environment=environment).set(given_up)


def drift_healed(environment: str, outcome: str, units: int) -> None:
    """Count ``units`` that a heal of this ``outcome`` was about."""
    HEALED_UNITS.labels(environment=environment, outcome=outcome).inc(units)
