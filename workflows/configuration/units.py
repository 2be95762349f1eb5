"""Values that go with a unit of a fleet: a tenant's own are delivered, and come back, with the tenant's wave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from policies.configuration.delivered import values_of
from policies.configuration.spec import Scalar
from policies.configuration.values import ConfigurationKey
from policies.desired_state import Unit, digest_of
from policies.errors import AdxError
from workflows.cells.models import CellLease
from workflows.configuration import delivering
from workflows.configuration.delivering import Rows
from workflows.configuration.models import Author, Write
from workflows.configuration.plan import is_same, value_of
from workflows.errors import AdxConnectionError
from workflows.runtime import Runtime
from workflows.telemetry import logs

Move = tuple[Unit | None, Unit | None]
ATTEMPTS = 3
PAUSE_SECONDS = 1.0


async def deliver_units(
    runtime: Runtime, lease: CellLease, commit: str, moves: Mapping[str, Move], way: str
) -> dict[str, str]:
    """Bring the values of units from those of the first to those of the second of each move, in one transaction.

    Why it failed, for every unit whose values differ; empty where it was done. ``way`` tells apart what one rollout
    does with a unit more than once.
    """
    differing = {unit: move for unit, move in moves.items() if _digest(move[0]) != _digest(move[1])}
    if not differing or not delivering.is_configured(runtime.environ):
        return {}
    author = Author(by=lease.rollout_id, change_id=f"{lease.rollout_id}:{min(differing)}:{way}"[:200])
    try:
        rows = await _written(runtime, lease.environment, commit, differing, author)
        await delivering.announce(runtime.environ, rows)
    except AdxError as error:
        return dict.fromkeys(differing, f"its configuration cannot be delivered: {error}")
    await _tell(runtime.environ, rows, author.change_id)
    return {}


async def _written(runtime: Runtime, environment: str, commit: str, moves: Mapping[str, Move], author: Author) -> Rows:
    tags = await delivering.read_tags(runtime.repository.path, commit, environment)
    writes = [
        Write(key=key, value=None)
        if (value := _values(after).get(key)) is None
        else Write(key=key, value=value_of(value), tags=tags.get((key.service, key.key), ()))
        for before, after in moves.values()
        for key in _values(before) | _values(after)
    ]
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with delivering.opened_store(runtime.environ) as store:
                kept = await delivering.rows_of(store, (one.key for one in writes))
                changed = [one for one in writes if not is_same(kept[one.key], one.value, one.tags)]
                written = await store.write(changed, author) if changed else []
            return dict(zip((one.key for one in changed), written, strict=True))
        except AdxConnectionError:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the loop returns or raises")


async def _tell(environ: Mapping[str, str], rows: Rows, change_id: str) -> None:
    """A tenant is in its wave's hands: its gates, not one service's silence, decide what becomes of it."""
    try:
        told = await delivering.tell_services(environ, rows, change_id, is_restore=False, insist=False)
    except AdxError as error:
        logs.logger().warning("services were not told of a tenant's values", why=str(error))
        return
    for service, why in told.silent.items():
        logs.logger().warning("a service did not acknowledge", service=service, why=why)


def _values(unit: Unit | None) -> dict[ConfigurationKey, Scalar]:
    return values_of(unit) if unit is not None else {}


def _digest(unit: Unit | None) -> str:
    """Of the values: to Python ``1``, ``1.0`` and ``True`` are equal, to a reader they are not."""
    return digest_of({key.id: value for key, value in _values(unit).items()})
