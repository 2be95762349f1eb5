"""What the ledger keeps of ids: for how long, and with how many questions it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from pipelines.api import claims
from pipelines.api.starter import Claim, Filter, Meant
from pipelines.api.wire import Operation
from tests.api.test_program import GUIDE
from tests.api.world import World
from workflows.ledger import Ledger, idempotency
from workflows.ledger.tables import idempotent_results
from workflows.rollout.housekeeping import RESULTS_KEPT


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        yield opened


def claimed(operation_id: str = "release-1", version: int = 2) -> Claim:
    """A request, understood."""
    meant = Meant(id=operation_id, environment="staging", database="shop", tenant_id="acme", target_version=version)
    return Claim(asked={"id": operation_id, "target_version": version}, meant=meant, requested_by="api:ci")


def ended(claim: Claim) -> Operation:
    """How it ended."""
    return Operation(
        operation_id=claim.meant.id,
        status="succeeded",
        is_over=True,
        environment=claim.meant.environment,
        database=claim.meant.database,
        target_version=claim.meant.target_version,
        requested_by=claim.requested_by,
    )


async def test_an_id_is_remembered_for_as_long_as_the_guide_says(ledger: Ledger) -> None:
    """With how it ended; it is free again when the ledger has forgotten what it stood for."""
    claim = claimed()
    await _kept(ledger, claim)
    await _age(ledger, RESULTS_KEPT - timedelta(hours=1))
    young, operation = await claims.look(ledger, "release-1")
    await _age(ledger, timedelta(hours=2))

    assert f"remembers\nids for {RESULTS_KEPT.days} days" in GUIDE
    assert young is not None
    assert (young.meant, young.is_started, operation) == (claim.meant, True, ended(claim))
    assert await claims.look(ledger, "release-1") == (None, None)


async def test_an_id_that_is_free_again_has_nothing_of_who_had_it_before(ledger: Ledger) -> None:
    """What was written after the claim is forgotten after it."""
    await _kept(ledger, claimed())
    await _age(ledger, RESULTS_KEPT + timedelta(hours=1), only="api-migration release-1")
    taken = await claims.record(ledger, claimed(version=3))

    assert taken.meant.target_version == 3
    assert await claims.look(ledger, "release-1") == (taken, None)
    assert not taken.is_started


async def test_whoever_claims_second_takes_nothing_from_the_first(ledger: Ledger) -> None:
    await _kept(ledger, claimed())
    second = await claims.record(ledger, claimed(version=3))
    known, operation = await claims.look(ledger, "release-1")

    assert second.meant.target_version == 2
    assert known is not None
    assert known.is_started
    assert operation == ended(claimed())


async def test_a_page_is_listed_with_the_same_few_questions_however_long_it_is(world: World) -> None:
    """One for the page, one for how its operations ended."""
    asked = Filter(environment="staging", limit=20)
    for number in range(20):
        await _kept(world.ledger, claimed(f"release-{number}"))
    with _questions(world.ledger) as seen:
        page = await world.starter().find(asked)

    assert [one.operation_id for one in page.operations] == [f"release-{number}" for number in range(19, -1, -1)]
    assert len([one for one in seen if "idempotent_results" in one]) == 2


async def _kept(ledger: Ledger, claim: Claim) -> None:
    await claims.record(ledger, claim)
    await claims.mark_started(ledger, claim.meant.id)
    await claims.record_ended(ledger, ended(claim))


async def _age(ledger: Ledger, by: timedelta, only: str = "") -> None:
    """As if time had passed, with the housekeeping at its end."""
    table = idempotent_results.c
    older = update(idempotent_results).values(recorded_at=table.recorded_at - by)
    async with ledger.transaction() as connection:
        await connection.execute(older.where(table.key == only) if only else older)
    await idempotency.prune(ledger, recorded_before=datetime.now(UTC) - RESULTS_KEPT)


@contextmanager
def _questions(ledger: Ledger) -> Iterator[list[str]]:
    """The statements that the ledger is sent."""
    seen: list[str] = []
    engine = ledger._engine.sync_engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
