"""One way to run a step inside an activity: recorded, and done at most once.

A step is known by *rollout + unit + step + digest of its input*. Asked again
after "done, but the answer was lost", it finds its own result in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from temporalio import activity

from workflows.ledger import Ledger, idempotency, steps
from workflows.telemetry import logs
from workflows.telemetry.metrics import timed_step

Value = TypeVar("Value")

WHOLE_STACK = "stack"


@dataclass
class Report:
    """What a step says while it runs: its last line goes with every heartbeat, and so to ``adx deploy --watch``."""

    message: str = ""

    def __call__(self, message: str) -> None:
        """Replace the line. :mod:`workflows.heartbeats` says it again; outside of an activity nobody hears it."""
        self.message = message
        if activity.in_activity():
            activity.heartbeat(message)


@dataclass(frozen=True)
class StepKey:
    """Which step of which rollout; ``content`` is the digest of all that the step depends on."""

    rollout_id: str
    environment: str
    name: str
    content: str
    unit: str = WHOLE_STACK

    @property
    def ledger_unit(self) -> str | None:
        """What the ledger's row names as the unit; None for a step of the rollout as a whole."""
        return None if self.unit == WHOLE_STACK else self.unit

    @property
    def idempotency_key(self) -> str:
        """The key under which the ledger keeps the step's result."""
        return idempotency.key_of(self.rollout_id, self.unit, self.name, self.content)


def round_of_restore(number: int) -> str:
    """What sets the steps of one round of a restore apart from those of any other, ``adx restore`` included.

    A later round exists because what an earlier one did was not enough: it must not be answered with its results.
    """
    return f"@{activity.info().workflow_run_id}.{number}"


@dataclass(frozen=True)
class StepRunner:
    """Runs steps against one ledger."""

    ledger: Ledger

    async def run(self, key: StepKey, result_type: type[Value], work: Callable[[Report], Awaitable[Value]]) -> Value:
        """The result of ``work``, or of an earlier attempt at the same step.

        Raises what ``work`` raises, after the ledger has it.
        """
        known = await idempotency.find(self.ledger, key.idempotency_key)
        if known is not None:
            return msgspec.convert(known.result, result_type)
        report = Report()
        with logs.bound(rollout=key.rollout_id, environment=key.environment, unit=key.unit):
            result = await self._timed(key, work, report)
        await idempotency.record(self.ledger, key.idempotency_key, msgspec.to_builtins(result))
        return result

    async def _timed(self, key: StepKey, work: Callable[[Report], Awaitable[Value]], report: Report) -> Value:
        log = logs.logger()
        log.info("step started", step=key.name)
        with timed_step(key.environment, key.name):
            async with self._recorded(key, report):
                result = await work(report)
        log.info("step succeeded", step=key.name, message=report.message)
        return result

    @contextlib.asynccontextmanager
    async def _recorded(self, key: StepKey, report: Report) -> AsyncIterator[None]:
        await steps.begin(self.ledger, key.rollout_id, key.name, unit=key.ledger_unit)
        try:
            yield
        except asyncio.CancelledError:
            await self._finish(key, "cancelled", report.message)
            raise
        except Exception as error:
            await self._finish(key, "failed", str(error))
            raise
        await self._finish(key, "succeeded", report.message)

    async def _finish(self, key: StepKey, status: steps.StepEnd, message: str) -> None:
        detail = {"message": message}
        await steps.finish(self.ledger, key.rollout_id, key.name, status, unit=key.ledger_unit, detail=detail)
