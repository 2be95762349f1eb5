"""Writes many keys in one transaction: locks, compares versions, then changes. The caller commits.

Rows are locked in the order of their ids, so that two writers of the same
keys wait for one another instead of blocking each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.configuration.errors import UpdateConflict, ValueRefused
from workflows.configuration.models import Author, Operation, Record, Write
from workflows.configuration.repository import rows
from workflows.configuration.repository.tables import values, versions


class _Batch:
    """What is to be inserted and updated."""

    def __init__(self) -> None:
        self.new_heads: list[rows.Row] = []
        self.changed_heads: list[rows.Row] = []
        self.versions: list[rows.Row] = []


async def write(
    connection: AsyncConnection, writes: Sequence[Write], author: Author, now: datetime
) -> list[Record | None]:
    """All of ``writes``; what each key then holds. Raises UpdateConflict, ValueRefused; in a race IntegrityError."""
    ids = sorted({one.key.id for one in writes})
    if len(ids) != len(writes):
        raise ValueRefused("one change writes the same key twice")
    heads = await _locked(connection, ids)
    done = await _done_before(connection, ids, author)
    batch = _Batch()
    written = [_plan(one, heads.get(one.key.id), one.key.id in done, author, now, batch) for one in writes]
    await _apply(connection, batch)
    return written


async def _locked(connection: AsyncConnection, ids: list[str]) -> dict[str, Any]:
    wanted = select(values).where(values.c.id.in_(ids)).order_by(values.c.id).with_for_update()
    return {row.id: row for row in await connection.execute(wanted)}


async def _done_before(connection: AsyncConnection, ids: list[str], author: Author) -> set[str]:
    """The keys that this very change has written already."""
    wanted = select(versions.c.id).where(versions.c.id.in_(ids), versions.c.change_id == author.change_id)
    return set(await connection.scalars(wanted))


def _plan(  # noqa: PLR0917 - all of them are what one row is made of
    one: Write, head: Any | None, is_done: bool, author: Author, now: datetime, batch: _Batch
) -> Record | None:
    """What ``one`` makes of its key; what has to be done for it goes to ``batch``."""
    is_there = head is not None and not head.is_deleted
    present = rows.record_of(head) if is_there else None
    if is_done:
        return present
    actual = head.version if head is not None and is_there else 0
    if one.expected is not None and one.expected != actual:
        raise UpdateConflict(str(one.key), expected=one.expected, actual=actual)
    columns = rows.content(one.value, one.tags)
    if one.expected is None and _is_same(columns, head if is_there else None):
        return present
    version = 1 if head is None else head.version + 1
    created_at = head.created_at if head is not None and is_there else now
    changed = {
        **columns,
        "version": version,
        "is_deleted": one.value is None,
        "created_at": created_at,
        "updated_at": now,
        "updated_by": author.by,
    }
    key_columns = rows.key_columns(one.key)
    if head is None:
        batch.new_heads.append({**key_columns, **changed})
    else:
        batch.changed_heads.append({"wanted_id": one.key.id, **changed})
    operation: Operation = "delete" if one.value is None else "update" if is_there else "create"
    history = {"id": one.key.id, "version": version, "operation": operation, **columns}
    batch.versions.append({**history, "at": now, "by": author.by, "change_id": author.change_id})
    return None if one.value is None else rows.record(one, one.value, created_at, changed)


def _is_same(columns: rows.Row, head: Any | None) -> bool:
    """Whether nothing would change: the same content, or a deletion of what is not there."""
    if head is None:
        return columns["tags"] is None
    return all(getattr(head, name) == value for name, value in columns.items())


async def _apply(connection: AsyncConnection, batch: _Batch) -> None:
    if batch.new_heads:
        await connection.execute(insert(values), batch.new_heads)
    if batch.changed_heads:
        await connection.execute(update(values).where(values.c.id == bindparam("wanted_id")), batch.changed_heads)
    if batch.versions:
        await connection.execute(insert(versions), batch.versions)
