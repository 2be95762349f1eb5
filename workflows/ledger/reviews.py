"""Plans that were shown to reviewers. A rollout of an environment that binds its plans must find its own among them."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from workflows.ledger import audit
from workflows.ledger.connection import Ledger
from workflows.ledger.models import AuditEntry, Review, record_of
from workflows.ledger.tables import reviews


async def record(ledger: Ledger, review: Review, *, source: str) -> None:
    """Keep ``review``; showing the same plan for the same head again renews its time. Written to the audit trail."""
    values = {name: value for name, value in msgspec.structs.asdict(review).items() if name != "recorded_at"}
    values["recorded_by"] = audit.escape_name(review.recorded_by)
    write = insert(reviews).values(values)
    renew = {"recorded_at": func.clock_timestamp(), "pull_request": write.excluded.pull_request}
    write = write.on_conflict_do_update(index_elements=["environment", "digest", "head"], set_=renew)
    async with ledger.transaction() as connection:
        await connection.execute(write)
        await audit.append_in(connection, _entry(review, source))


async def find(ledger: Ledger, environment: str, digest: str) -> tuple[Review, ...]:
    """The recorded previews of this very plan, newest first; one for each head that it was shown for."""
    chosen = select(reviews).where(reviews.c.environment == environment, reviews.c.digest == digest)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen.order_by(reviews.c.recorded_at.desc()))).mappings().all()
    return tuple(record_of(Review, row) for row in rows)


async def newest(ledger: Ledger, environment: str, *, limit: int = 20) -> tuple[Review, ...]:
    """The newest recorded previews of ``environment``, newest first."""
    chosen = select(reviews).where(reviews.c.environment == environment)
    async with ledger.transaction() as connection:
        rows = (await connection.execute(chosen.order_by(reviews.c.recorded_at.desc()).limit(limit))).mappings().all()
    return tuple(record_of(Review, row) for row in rows)


async def prune(ledger: Ledger, *, recorded_before: datetime) -> int:
    """Forget previews that are too old to count anywhere; returns how many."""
    async with ledger.transaction() as connection:
        old = delete(reviews).where(reviews.c.recorded_at < recorded_before)
        return int((await connection.execute(old)).rowcount)


def _entry(review: Review, source: str) -> AuditEntry:
    return AuditEntry(
        key=f"plan.previewed:{review.environment}:{review.digest}:{review.head}",
        actor="adx",
        source=source,
        action="plan.previewed",
        environment=review.environment,
        commit=review.head,
        detail={"digest": review.digest},
    )
