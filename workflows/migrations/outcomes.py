"""Runs of the ledger as results, catalogs as rows, and what stood in what a version brought. Pure, but for waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec

from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.migrations.models import TargetPlanned, TargetResult

Value = TypeVar("Value")


def baseline(runs: Sequence[DatabaseRun], version: int) -> tuple[dict[str, str], str] | None:
    """What stood in everything that came after ``version`` when it came, and the digest of the catalog before it. Pure.

    ``runs`` are what brought the database where it is, newest first. None where the ledger does not know.
    """
    known: dict[str, str] = {}
    reached = runs[0].to_version if runs else None
    for run in runs:
        if run.to_version != reached or run.from_version >= run.to_version:
            continue
        if "*" in run.written or run.from_version < version or run.catalog_before is None:
            return None
        known, reached = {**run.written, **known}, run.from_version
        if reached == version:
            return known, run.catalog_before
    return None


def as_body(catalog: Catalog) -> dict[str, object]:
    """A catalog as the ledger keeps it."""
    return {"digest": catalog.digest(), "body": msgspec.to_builtins(catalog)}


def as_planned(plan: MigrationPlan) -> TargetPlanned:
    """A plan as a workflow keeps it."""
    return TargetPlanned(plan.from_version, plan.to_version, [one.id for one in plan.migrations])


def result_of(run: DatabaseRun) -> TargetResult | None:
    """What an earlier attempt has written as the end; None while there is none."""
    if run.status == "migrating":
        return None
    version = run.to_version if run.status in ("delivered", "kept") else run.from_version
    outcome = "restored" if run.status == "undone" else run.status
    return TargetResult(run.target, outcome, version, run.reason)


async def to_its_end(work: Awaitable[Value]) -> Value:
    """Await ``work``; a cancellation that arrives meanwhile does not reach it, and is raised afterwards."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
            if task.cancelled():
                raise
        except Exception:  # noqa: BLE001 - raised by result() below
            break
    if cancelled:
        task.result()
    return task.result()
