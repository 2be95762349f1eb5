"""Claims on cells: side by side for several cells, one at a time for each, and only under the owner's rollout."""

from __future__ import annotations

import pytest

from tests.support.accepting import accepted
from workflows.ledger import Ledger, cells, fencing, units
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.models import Rollout
from workflows.ledger.units import UnitState

FIRST, SECOND = "staging.cell-001", "staging.cell-002"


async def claimed(ledger: Ledger, token: int, stack: str = FIRST, holder: str = "attempt-1") -> cells.Claim:
    """A claim of the rollout of the fixture."""
    return await cells.claim(ledger, "staging", stack, rollout_id="rollout-1", holder=holder, environment_token=token)


@pytest.fixture
async def token(ledger: Ledger, rollout: Rollout) -> int:
    """What the rollout owns the environment by."""
    return await fencing.acquire(ledger, rollout.environment, rollout.id)


async def test_cells_of_one_rollout_do_not_fence_one_another_out(ledger: Ledger, token: int) -> None:
    """They are delivered side by side."""
    first, second = await claimed(ledger, token), await claimed(ledger, token, SECOND)

    with accepted():
        await cells.check(ledger, first)
        await cells.check(ledger, second)


async def test_a_later_attempt_at_a_cell_fences_out_the_one_before(ledger: Ledger, token: int) -> None:
    """Asked again, the newest attempt keeps its claim."""
    late = await claimed(ledger, token)
    newest = await claimed(ledger, token, holder="attempt-2")

    with pytest.raises(StaleFencingToken, match=FIRST):
        await cells.check(ledger, late)
    assert await claimed(ledger, token, holder="attempt-2") == newest
    await cells.check(ledger, newest)


async def test_another_rollout_that_takes_the_environment_ends_all_claims(ledger: Ledger, token: int) -> None:
    """Neither an old claim nor a new one of the old rollout holds."""
    claim = await claimed(ledger, token)
    await fencing.acquire(ledger, "staging", "rollout-2")

    with pytest.raises(StaleFencingToken):
        await cells.check(ledger, claim)
    with pytest.raises(StaleFencingToken):
        await claimed(ledger, token, SECOND)


async def test_units_are_recorded_only_by_whoever_holds_the_cell(ledger: Ledger, token: int) -> None:
    """A worker that was paused and comes back late must not overwrite what is so."""
    late = await claimed(ledger, token)
    newest = await claimed(ledger, token, holder="attempt-2")
    state = [UnitState(unit="tenant/acme", status="applied", digest="d1", commit="c1")]

    with pytest.raises(StaleFencingToken):
        await units.record(ledger, "staging", "rollout-1", state, fencing_token=token, claim=late)
    assert await units.find(ledger, "staging", "tenant/acme") is None
    await units.record(ledger, "staging", "rollout-1", state, fencing_token=token, claim=newest)
    assert await units.find(ledger, "staging", "tenant/acme") is not None
