"""What the ledger knows about the units that are to be promoted. Reads only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta

from pipelines.promotion.delivered import Delivered
from pipelines.promotion.gates import Facts, UnitFacts
from policies.infrastructure.spec import EnvironmentSpec, Promotion
from workflows.ledger import Ledger, drift, rollouts
from workflows.ledger.history import succeeded_in
from workflows.ledger.models import UnitChange, UnitRecord
from workflows.ledger.unit_history import changes_of

PAGE = 50
MAX_PAGES = 40
_FAILED = ("restored", "failed", "frozen")


async def facts_of(
    ledger: Ledger, delivered: Delivered, units: Iterable[str], declared: EnvironmentSpec, rules: Promotion | None
) -> Facts:
    """The answers that the gates of ``rules`` need, for the ``units`` that are promoted.

    ``declared`` is the source as it was delivered.
    """
    source = delivered.environment.name
    now = datetime.now().astimezone()
    unfinished = await rollouts.unfinished(ledger, source)
    window = timedelta(seconds=rules.no_failure_within_seconds if rules is not None else 0)
    checked = {one.unit: one for one in await drift.units_of(ledger, source)}
    changes = {unit: await _changes_of(ledger, delivered.records[unit], now - window) for unit in sorted(set(units))}
    tested = await succeeded_in(ledger, "test", {one.rollout_id for one, _ in changes.values() if one is not None})
    found = []
    for unit, (deliverer, failure) in changes.items():
        record = delivered.records[unit]
        seen = checked.get(unit)
        # A check of other inputs says nothing about those that are there now.
        is_current = seen is not None and seen.digest == record.digest
        found.append(
            UnitFacts(
                unit=unit,
                in_place_since=record.updated_at,
                delivered_by=deliverer.rollout_id if deliverer else "",
                tests_passed=deliverer.rollout_id in tested if deliverer else None,
                failed_at=failure.at if failure else None,
                failed_in=failure.rollout_id if failure else "",
                checked_at=seen.checked_at if seen is not None and is_current else None,
                drifted_since=seen.drifted_since if seen is not None and is_current else None,
            )
        )
    return Facts(
        source=source,
        now=now,
        units=found,
        frozen_reason=delivered.environment.frozen_reason or "",
        under_way=unfinished[-1].id if unfinished else "",
        tests_declared=len(declared.post_deployment_tests),
    )


async def _changes_of(
    ledger: Ledger, record: UnitRecord, failed_after: datetime
) -> tuple[UnitChange | None, UnitChange | None]:
    """What brought the present state of a unit, and its newest failure after ``failed_after``."""
    deliverer: UnitChange | None = None
    failure: UnitChange | None = None
    async for left in _left_by_rollouts(ledger, record):
        if failure is None and left.status in _FAILED and left.at > failed_after:
            failure = left
        if deliverer is None and left.status == "applied" and left.digest == record.digest:
            deliverer = left
        if deliverer is not None and (failure is not None or left.at <= failed_after):
            break
    return deliverer, failure


async def _left_by_rollouts(ledger: Ledger, record: UnitRecord) -> AsyncIterator[UnitChange]:
    """The last change in each rollout, newest first: what was delivered and taken back by the same one is no delivery.

    At most MAX_PAGES pages of changes back.
    """
    known: set[str] = set()
    before: int | None = None
    for _ in range(MAX_PAGES):
        page = await changes_of(ledger, record.environment, record.unit, before=before, limit=PAGE)
        for change in page:
            if change.rollout_id not in known:
                known.add(change.rollout_id)
                yield change
        if len(page) < PAGE:
            return
        before = page[-1].sequence
