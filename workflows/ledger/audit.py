"""The audit trail: who did what, when, from where, to which commit. It only grows.

Triggers refuse UPDATE, DELETE and TRUNCATE. Each row holds the SHA-256 of its
own content and the previous row's hash, so a row that was changed, removed or
slipped in by somebody who silenced the triggers is found by ``verify_chain``.
A cut-off end is found by comparing with an ``AuditHead`` that was kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, bindparam, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.errors import AuditTampered, LedgerConflict, LedgerRefused
from workflows.ledger.models import AuditEntry, AuditHead, AuditRow, JsonObject, record_of
from workflows.ledger.tables import audit

GENESIS = AuditHead(sequence=0, hash="0" * 64)
LONGEST_NAME_CHARACTERS = 512
_LOCK = 0x0ADCA0D17
_NAMES = ("key", "actor", "source", "action", "environment", "commit")
# Control, format (bidirectional overrides), surrogate, line and paragraph separators: they forge lines and looks.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_CONTENT = (*_NAMES, "detail")
_VERIFY_ROWS_AT_A_TIME = 1000


def escape_name(name: str) -> str:
    """``name`` with characters that the trail refuses written as ``\\uXXXX``: for names that strangers chose."""
    shown = (f"\\u{ord(sign):04x}" if unicodedata.category(sign) in _REFUSED_CATEGORIES else sign for sign in name)
    return "".join(shown)[:LONGEST_NAME_CHARACTERS]


async def append(ledger: Ledger, entry: AuditEntry) -> AuditRow:
    """Write ``entry`` at the end, or find it there. Raises LedgerRefused (bad name) or LedgerConflict (key reused)."""
    async with ledger.transaction() as connection:
        return await append_in(connection, entry)


async def append_in(connection: AsyncConnection, entry: AuditEntry) -> AuditRow:
    """As ``append``, in the transaction of what is being audited."""
    _refuse_bad_names(entry)
    content = {name: getattr(entry, name) for name in _NAMES} | {"detail": _canonical(entry.detail)}
    head = await lock_head(connection)
    if (found := await _find(connection, entry.key)) is not None:
        if {name: found[name] for name in _CONTENT} != content:
            raise LedgerConflict(f"the audit trail has another entry under the key {entry.key!r}")
        return _as_row(found)
    at: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one().astimezone(UTC)
    row = {"sequence": head.sequence + 1, "at": at, **content, "previous_hash": head.hash}
    row["hash"] = hash_of(row)
    # As text: the JSON type would serialize the text once more.
    detail = cast(bindparam(None, content["detail"], type_=Text), audit.c.detail.type)
    await connection.execute(insert(audit).values({**row, "detail": detail}))
    return _as_row(row)


async def append_next_in(
    connection: AsyncConnection,
    *,
    actor: str,
    source: str,
    action: str,
    environment: str,
    commit: str | None = None,
    detail: JsonObject,
) -> AuditRow:
    """Write an event that the caller's transaction makes happen exactly once: the place in the trail is its key."""
    place = (await lock_head(connection)).sequence + 1
    key = f"{action}:{environment}:{place}"
    entry = AuditEntry(
        key=key, actor=actor, source=source, action=action, environment=environment, commit=commit, detail=detail
    )
    return await append_in(connection, entry)


async def lock_head(connection: AsyncConnection) -> AuditHead:
    """The end of the trail; nobody else appends before this transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1)
    row = (await connection.execute(last)).mappings().first()
    return record_of(AuditHead, row) if row else GENESIS


async def entries(
    ledger: Ledger, *, environment: str | None = None, before: int | None = None, limit: int = 100
) -> tuple[AuditRow, ...]:
    """The newest ``limit`` rows, newest first; ``before`` (a sequence) pages on."""
    chosen = _selection().order_by(audit.c.sequence.desc()).limit(limit)
    if environment is not None:
        chosen = chosen.where(audit.c.environment == environment)
    if before is not None:
        chosen = chosen.where(audit.c.sequence < before)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen)).mappings().all()
    return tuple(_as_row(row) for row in rows)


async def verify_chain(ledger: Ledger, *, kept: AuditHead | None = None) -> AuditHead:
    """Check every row and link; return the end, to be kept elsewhere.

    With ``kept``, an end returned earlier, a trail that was cut off or rewritten
    since is found too. Raises AuditTampered.
    """
    head = GENESIS
    is_kept_found = kept is None or kept == GENESIS
    while rows := await _rows_after(ledger, head.sequence):
        for row in rows:
            head = _verified(row, head)
            is_kept_found = is_kept_found or head == kept
    if not is_kept_found and kept is not None:
        raise _tampered(kept.sequence, "is not the row that was kept")
    return head


def hash_of(row: RowMapping | dict[str, Any]) -> str:
    """SHA-256 (hex) over the previous hash and the row's content; ``detail`` is the JSON text as stored."""
    at: datetime = row["at"]
    parts = [row["previous_hash"], row["sequence"], at.astimezone(UTC).isoformat(timespec="microseconds")]
    return hashlib.sha256(_canonical([*parts, *(row[name] for name in _CONTENT)]).encode()).hexdigest()


def _verified(row: RowMapping, head: AuditHead) -> AuditHead:
    sequence: int = row["sequence"]
    if sequence != head.sequence + 1:
        raise _tampered(head.sequence + 1, "is missing")
    if row["previous_hash"] != head.hash:
        raise _tampered(sequence, "does not follow the row before it")
    if row["hash"] != hash_of(row):
        raise _tampered(sequence, "was changed")
    return AuditHead(sequence=sequence, hash=row["hash"])


def _tampered(sequence: int, what: str) -> AuditTampered:
    return AuditTampered(
        f"row {sequence} of the audit trail {what}",
        next_step="find out who had write access to the ledger; compare with a backup before trusting the trail",
    )


async def _rows_after(ledger: Ledger, sequence: int) -> list[RowMapping]:
    chosen = _selection().where(audit.c.sequence > sequence).order_by(audit.c.sequence).limit(_VERIFY_ROWS_AT_A_TIME)
    async with ledger.transaction() as connection:
        return list((await connection.execute(chosen)).mappings())


async def _find(connection: AsyncConnection, key: str) -> RowMapping | None:
    return (await connection.execute(_selection().where(audit.c.key == key))).mappings().first()


def _selection() -> Any:
    others = (column for column in audit.c if column.name != "detail")
    return select(*others, cast(audit.c.detail, Text).label("detail"))


def _as_row(row: RowMapping | dict[str, Any]) -> AuditRow:
    return record_of(AuditRow, {**row, "detail": json.loads(row["detail"])})


def _canonical(value: object) -> str:
    # ASCII only: control and bidirectional characters inside details are escaped by JSON itself.
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise LedgerRefused(f"the detail of an audit entry is not JSON: {type(error).__name__}") from None


def _refuse_bad_names(entry: AuditEntry) -> None:
    for field in _NAMES:
        name: str | None = getattr(entry, field)
        if name is None:
            continue
        is_refused = not name or len(name) > LONGEST_NAME_CHARACTERS or escape_name(name) != name
        if is_refused:
            raise LedgerRefused(
                f"the audit trail refuses the {field} {escape_name(name)[:80]!r}: "
                "it is empty, too long or has control characters",
                next_step="pass names that strangers chose through audit.escape_name",
            )
