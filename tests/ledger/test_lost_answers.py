"""The connection is lost between commit and answer: the repeated call finds its own row, nothing is done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import func, select

from tests.ledger.conftest import COMMIT, new_rollout
from tests.ledger.proxy import LosesAnswers, proxied
from workflows.ledger import (
    Ledger,
    audit,
    deliveries,
    environments,
    fencing,
    idempotency,
    quarantine,
    rollouts,
    steps,
    units,
)
from workflows.ledger.errors import LedgerUnreachable
from workflows.ledger.models import AuditEntry
from workflows.ledger.tables import metadata
from workflows.ledger.units import UnitState

Write = Callable[[Ledger], Awaitable[object]]

ENTRY = AuditEntry(key="approval-1", actor="ada", source="cli", action="rollout.approved", commit=COMMIT)
UNIT = UnitState(unit="tenant/acme", status="applied", digest="d1", commit=COMMIT)

# What each repeated call must return; the rollout, its token and its first step exist before.
WRITES: dict[str, tuple[Write, Callable[[object], bool]]] = {
    "rollouts.start": (
        lambda ledger: rollouts.start(ledger, new_rollout("rollout-2")),
        lambda rollout: rollout.id == "rollout-2" and rollout.status == "running",
    ),
    "rollouts.describe": (
        lambda ledger: rollouts.describe(ledger, "rollout-1", plan_digest="p1"),
        lambda rollout: rollout.plan_digest == "p1",
    ),
    "rollouts.finish": (
        lambda ledger: rollouts.finish(ledger, "rollout-1", "restored", restored_to="base", restore_verified=True),
        lambda rollout: rollout.status == "restored" and rollout.finished_at is not None,
    ),
    "steps.begin": (
        lambda ledger: steps.begin(ledger, "rollout-1", "apply"),
        lambda step: (step.sequence, step.attempts) == (2, 1),
    ),
    "steps.finish": (
        lambda ledger: steps.finish(ledger, "rollout-1", "validate", "succeeded", detail={"units": 3}),
        lambda step: step.status == "succeeded" and step.detail == {"units": 3},
    ),
    "units.record": (
        lambda ledger: units.record(ledger, "staging", "rollout-1", [UNIT], fencing_token=1),
        lambda nothing: nothing is None,
    ),
    "fencing.acquire": (lambda ledger: fencing.acquire(ledger, "staging", "rollout-2"), lambda token: token == 2),
    "fencing.renew": (lambda ledger: fencing.renew(ledger, "staging", "rollout-1", "a2"), lambda token: token == 2),
    "environments.record_delivered": (
        lambda ledger: environments.record_delivered(
            ledger, "staging", commit=COMMIT, state_digest="s1", snapshot="n1", fencing_token=1
        ),
        lambda environment: environment.delivered_commit == COMMIT,
    ),
    "environments.freeze": (
        lambda ledger: environments.freeze(ledger, "staging", reason="restore failed", rollout_id="rollout-1"),
        lambda nothing: nothing is None,
    ),
    "quarantine.add": (
        lambda ledger: quarantine.add(ledger, "staging", COMMIT, reason="pods crash", rollout_id="rollout-1"),
        lambda found: found.reason == "pods crash",
    ),
    "audit.append": (lambda ledger: audit.append(ledger, ENTRY), lambda row: row.sequence == 2),
    "deliveries.remember": (
        lambda ledger: deliveries.remember(ledger, "delivery-1", "push", receipt="call-1"),
        lambda is_first: is_first is True,
    ),
    "idempotency.record": (
        lambda ledger: idempotency.record(ledger, "key", {"changed": 2}),
        lambda stored: stored.result == {"changed": 2},
    ),
}


@pytest.fixture
async def unreliable(ledger_url: str) -> AsyncIterator[tuple[Ledger, LosesAnswers]]:
    """A ledger behind the proxy, with a running rollout that owns `staging` and has begun its first step."""
    async with proxied(ledger_url) as (url, proxy), await Ledger.open(url) as ledger:
        await ledger.migrate()
        await rollouts.start(ledger, new_rollout())
        await fencing.acquire(ledger, "staging", "rollout-1")
        await steps.begin(ledger, "rollout-1", "validate")
        yield ledger, proxy


@pytest.mark.parametrize("name", WRITES)
async def test_a_repeated_write_finds_its_own_row(unreliable: tuple[Ledger, LosesAnswers], name: str) -> None:
    ledger, proxy = unreliable
    write, is_as_expected = WRITES[name]

    proxy.lose_next_commit()
    with pytest.raises(LedgerUnreachable):
        await write(ledger)
    assert proxy.lost == 1
    after_the_first = await _rows(ledger)
    repeated = await write(ledger)

    assert is_as_expected(repeated), repeated
    assert await _rows(ledger) == after_the_first
    await audit.verify_chain(ledger)


async def _rows(ledger: Ledger) -> dict[str, int]:
    async with ledger.transaction() as connection:
        counts = {name: select(func.count()).select_from(table) for name, table in metadata.tables.items()}
        return {name: (await connection.execute(count)).scalar_one() for name, count in counts.items()}
