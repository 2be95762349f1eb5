"""What the ledger knows about the units that are to be promoted. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipelines.promotion.delivered import Delivered
from pipelines.promotion.gates import Facts, UnitFacts
from policies.infrastructure.spec import EnvironmentSpec, Promotion
from workflows.ledger import Ledger, drift, rollouts
from workflows.ledger.history import history
from workflows.ledger.models import RolloutHistory, UnitRecord

PAGE = 20
MAX_PAGES = 25
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
    found = []
    for unit in sorted(set(units)):
        record = delivered.records[unit]
        deliverer, failure = await _rollouts_of(ledger, record, now - window)
        seen = checked.get(unit)
        # A check of other inputs says nothing about those that are there now.
        is_current = seen is not None and seen.digest == record.digest
        found.append(
            UnitFacts(
                unit=unit,
                in_place_since=record.updated_at,
                delivered_by=deliverer.rollout.id if deliverer else "",
                tests_passed=_have_tests_passed(deliverer) if deliverer else None,
                failed_at=failure.updated_at if failure else None,
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


async def _rollouts_of(
    ledger: Ledger, record: UnitRecord, failed_after: datetime
) -> tuple[RolloutHistory | None, UnitRecord | None]:
    """The rollout that brought the present state of a unit, and its newest failure after ``failed_after``."""
    deliverer: RolloutHistory | None = None
    failure: UnitRecord | None = None
    before: datetime | None = None
    for _ in range(MAX_PAGES):
        page = await history(ledger, record.environment, unit=record.unit, before=before, limit=PAGE)
        for entry in page:
            own = next((one for one in entry.units if one.unit == record.unit), None)
            if own is None:
                continue
            if failure is None and own.status in _FAILED and own.updated_at > failed_after:
                failure = own
            if deliverer is None and own.status == "applied" and own.digest == record.digest:
                deliverer = entry
        if len(page) < PAGE or (deliverer is not None and page[-1].rollout.started_at < failed_after):
            break
        before = page[-1].rollout.started_at
    return deliverer, failure


def _have_tests_passed(entry: RolloutHistory) -> bool:
    return any(step.name == "test" and step.unit is None and step.status == "succeeded" for step in entry.steps)
