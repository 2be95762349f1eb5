"""Which id belongs to which request: kept in the ledger, the first one stays.

::

    api-migration <id>            what was asked, as it was sent and as it was understood
    api-migration-started <id>    a workflow holds it: it is never started a second time
    api-migration-ended <id>      how it ended

The last two are needed because Temporal forgets a workflow some time after its end.
The ledger forgets all three 90 days after the claim (``workflows.rollout.housekeeping.RESULTS_KEPT``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Select, delete, exists, or_, select
from sqlalchemy.sql.elements import ColumnElement

from pipelines.api.starter import Claim, Filter, Scope
from pipelines.api.wire import MigrationAsked, Operation
from pipelines.http.problems import Fault, Refusal
from workflows.ledger import Ledger, idempotency
from workflows.ledger.models import StoredResult, record_of
from workflows.ledger.tables import idempotent_results

_CLAIM, _STARTED, _ENDED = "api-migration ", "api-migration-started ", "api-migration-ended "


def body_of(asked: MigrationAsked) -> dict[str, str | int | None]:
    """The body, with None for what was left out."""
    return dict(asked.model_dump())


def check_same(claim: Claim, asked: MigrationAsked, scope: Scope) -> None:
    """Raise Refusal 409 unless the id stands for this very request. Values are told to whoever may see them."""
    is_seen = scope.covers(claim.meant.environment, claim.meant.tenant_id or None)
    faults = tuple(_differences(claim, asked))
    if is_seen and not faults:
        return
    said = "; ".join(one.message for one in faults) if is_seen else "this token may not see which"
    raise Refusal(
        409,
        f"the id {asked.id} stands for another request: {said}",
        next_step="choose a new id, or send the request as it was",
        kind="id-taken",
        faults=faults if is_seen else (),
    )


def used_before(operation_id: str) -> Refusal:
    """The id stood for something, and nobody knows any more for what."""
    return Refusal(
        409,
        f"the id {operation_id} was used before, and what it stood for is forgotten",
        next_step="choose a new id",
        kind="id-taken",
    )


def _differences(claim: Claim, asked: MigrationAsked) -> Iterator[Fault]:
    """What is left out may be spelled out, as it was understood; the other way round it may mean something else."""
    meant = {**msgspec.to_builtins(claim.meant), "tenant_id": claim.meant.tenant_id or None}
    for name, now in body_of(asked).items():
        before = claim.asked.get(name)
        if now not in (before, meant[name]):
            yield Fault(f"body.{name}", f"{name} was {_shown(before)} and is {_shown(now)} now")


def _shown(value: str | int | None) -> str:
    return "left out" if value is None else str(value)


async def look(ledger: Ledger, operation_id: str) -> tuple[Claim | None, Operation | None]:
    """What the id stands for (None: it is free), and how that ended (None: nobody has seen it end)."""
    return (await look_at(ledger, [operation_id])).get(operation_id, (None, None))


async def look_at(ledger: Ledger, operation_ids: Collection[str]) -> dict[str, tuple[Claim, Operation | None]]:
    """What each id that is taken stands for, and how that ended; in one question."""
    keys = [kind + one for one in operation_ids for kind in (_CLAIM, _STARTED, _ENDED)]
    async with ledger.transaction() as connection:
        rows = (
            await connection.execute(select(idempotent_results).where(idempotent_results.c.key.in_(keys)))
        ).mappings()
        found = {str(row["key"]): record_of(StoredResult, row) for row in rows}
    return {one: _known(one, found) for one in operation_ids if _CLAIM + one in found}


def _known(operation_id: str, found: Mapping[str, StoredResult]) -> tuple[Claim, Operation | None]:
    claim, ended = _claim(found[_CLAIM + operation_id]), found.get(_ENDED + operation_id)
    operation = Operation.model_validate_json(msgspec.json.encode(ended.result)) if ended is not None else None
    return msgspec.structs.replace(claim, is_started=_STARTED + operation_id in found), operation


async def record(ledger: Ledger, claim: Claim) -> Claim:
    """Take the id. The first claim stays, and is what is returned."""
    await _drop_leftovers(ledger, claim.meant.id)
    return _claim(await idempotency.record(ledger, _CLAIM + claim.meant.id, msgspec.to_builtins(claim)))


async def _drop_leftovers(ledger: Ledger, operation_id: str) -> None:
    """What is left of an operation whose claim is forgotten, a little younger than that, is not this one's."""
    table, other = idempotent_results.c, idempotent_results.alias()
    is_free = ~exists().where(other.c.key == _CLAIM + operation_id)
    left = table.key.in_([_STARTED + operation_id, _ENDED + operation_id])
    async with ledger.transaction() as connection:
        await connection.execute(delete(idempotent_results).where(left, is_free))


async def mark_started(ledger: Ledger, operation_id: str) -> None:
    """A workflow holds it."""
    await idempotency.record(ledger, _STARTED + operation_id, True)


async def record_ended(ledger: Ledger, operation: Operation) -> None:
    """Keep how it ended."""
    await idempotency.record(ledger, _ENDED + operation.operation_id, operation.model_dump(mode="json"))


async def newest(ledger: Ledger, asked: Filter, before: Claim | None, limit: int) -> tuple[Claim, ...]:
    """Claims that ``asked`` looks for (its status aside), newest first, those made before ``before``."""
    async with ledger.transaction() as connection:
        rows = (await connection.execute(_newest(asked, before, limit))).mappings().all()
    return tuple(_claim(record_of(StoredResult, row)) for row in rows)


def _newest(asked: Filter, before: Claim | None, limit: int) -> Select[tuple[object, ...]]:
    table = idempotent_results.c
    meant = table.result["meant"]
    chosen = select(idempotent_results).where(table.key.startswith(_CLAIM, autoescape=True))
    wanted = {"environment": asked.environment, "database": asked.database, "tenant_id": asked.tenant_id}
    for name, value in wanted.items():
        if value is not None:
            chosen = chosen.where(meant[name].astext == value)
    for name, allowed in (("environment", asked.scope.environments), ("tenant_id", asked.scope.tenants)):
        if "*" not in allowed:
            chosen = chosen.where(meant[name].astext.in_(allowed))
    if before is not None:
        chosen = chosen.where(_is_before(before))
    return chosen.order_by(table.recorded_at.desc(), table.key.desc()).limit(limit)


def _is_before(last: Claim) -> ColumnElement[bool]:
    table, at, key = idempotent_results.c, datetime.fromisoformat(last.claimed_at), _CLAIM + last.meant.id
    return or_(table.recorded_at < at, (table.recorded_at == at) & (table.key < key))


def _claim(stored: StoredResult) -> Claim:
    found = msgspec.convert(stored.result, Claim)
    return msgspec.structs.replace(found, claimed_at=stored.recorded_at.isoformat())
