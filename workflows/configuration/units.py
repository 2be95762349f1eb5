"""Values that go with a unit of a fleet: a tenant's own are delivered, and come back, with the tenant's wave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from policies.configuration.delivered import values_of
from policies.configuration.spec import Scalar
from policies.configuration.values import ConfigurationKey
from policies.desired_state import Unit, digest_of
from policies.errors import AdxError
from workflows.cells.models import CellLease
from workflows.configuration import delivering
from workflows.configuration.delivering import Rows
from workflows.configuration.errors import StoreBusy
from workflows.configuration.models import Author, Write
from workflows.configuration.plan import Tags, is_same, value_of
from workflows.errors import AdxConnectionError, AdxTimeoutError
from workflows.retry import CONNECTION
from workflows.runtime import Runtime
from workflows.telemetry import logs

Move = tuple[Unit | None, Unit | None]
Value = TypeVar("Value")
Pause = Callable[[float], Awaitable[None]]
PAUSES_SECONDS = tuple(CONNECTION.delay_after(attempt).total_seconds() for attempt in range(1, CONNECTION.attempts))
_PASSING = (AdxConnectionError, AdxTimeoutError, StoreBusy)


async def deliver_units(
    runtime: Runtime,
    lease: CellLease,
    commit: str,
    moves: Mapping[str, Move],
    way: str,
    *,
    pause: Pause = asyncio.sleep,
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
        tags = await delivering.read_tags(runtime.repository.path, commit, lease.environment)
        writes = _writes(differing.values(), tags)
        kept = await _persistently(lambda: _kept(runtime.environ, writes), pause)
        changed = [one for one in writes if not is_same(kept[one.key], one.value, one.tags)]
        written = await _persistently(lambda: _written(runtime.environ, changed, author), pause) if changed else {}
        # An attempt before this one may have ended between writing and announcing, or before services were told.
        await _persistently(lambda: delivering.announce(runtime.environ, kept | written), pause)
    except AdxError as error:
        return dict.fromkeys(differing, f"its configuration cannot be delivered: {error}")
    await _tell(runtime.environ, written or kept, author.change_id)
    return {}


def _writes(moves: Iterable[Move], tags: Tags) -> list[Write]:
    """What brings every value of the first to what it is in the second of each move."""
    writes: list[Write] = []
    for before, after in moves:
        wanted = _values(after)
        writes += [Write(key=key, value=None) for key in _values(before).keys() - wanted.keys()]
        writes += [
            Write(key=key, value=value_of(value), tags=tags.get((key.service, key.key), ()))
            for key, value in wanted.items()
        ]
    return writes


async def _kept(environ: Mapping[str, str], writes: Iterable[Write]) -> Rows:
    async with delivering.opened_store(environ) as store:
        return await delivering.rows_of(store, (one.key for one in writes))


async def _written(environ: Mapping[str, str], writes: Sequence[Write], author: Author) -> Rows:
    """What the keys of ``writes`` hold then; asked again under the same author, it finds what it has done."""
    async with delivering.opened_store(environ) as store:
        return dict(zip((one.key for one in writes), await store.write(writes, author), strict=True))


async def _persistently(work: Callable[[], Awaitable[Value]], pause: Pause) -> Value:
    """What ``work`` gives, asked again while something is away or busy: a whole wave would be brought back for it.

    As long as an activity whose connection fails is tried again, which is about 30 seconds.
    """
    for seconds in PAUSES_SECONDS:
        try:
            return await work()
        except _PASSING:
            await pause(seconds)
    return await work()


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
