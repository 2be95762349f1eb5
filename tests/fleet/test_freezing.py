"""Units of a cell that nobody could finish, in a real ledger: frozen, whatever an attempt that comes back late says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from tests.support.desired import desired_state, platform_unit, tenant_unit
from workflows.cells.models import CellLease, CellRequest
from workflows.fleet.activities import FleetActivities
from workflows.fleet.durable import FreezeRequest
from workflows.ledger import Ledger, cells, fencing, rollouts, units
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.models import NewRollout
from workflows.ledger.units import UnitState
from workflows.runtime import Runtime

STAGING, ROLLOUT, STACK = "staging", "rollout-1", "staging.cell-001"
BEFORE = desired_state(STAGING, platform_unit(STAGING), tenant_unit(STAGING))
AFTER = desired_state(STAGING, platform_unit(STAGING), tenant_unit(STAGING, display_name="Another name"))
UNIT = next(unit for unit in BEFORE.units if unit.id.startswith("tenant/"))


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        yield opened


async def begun(ledger: Ledger, rollout_id: str = ROLLOUT) -> int:
    """A rollout that owns the environment; its token."""
    new = NewRollout(
        id=rollout_id, environment=STAGING, kind="deliver", commit="c" * 40, requested_by="ada", source="cli"
    )
    await rollouts.start(ledger, new)
    return await fencing.acquire(ledger, STAGING, rollout_id)


async def freeze(ledger: Ledger, token: int) -> None:
    """As the fleet's workflow asks for it."""
    bodies = {"before": BEFORE, "after": AFTER}

    async def get(digest: str, *_: Any) -> Any:
        return bodies[digest]

    runtime = SimpleNamespace(ledger=ledger, bodies=SimpleNamespace(get=get))
    cell = CellRequest(CellLease(STAGING, ROLLOUT, token), STACK, "before", "after", [UNIT.id])
    freezing = FleetActivities(cast(Runtime, runtime)).freeze_units
    await ActivityEnvironment().run(freezing, FreezeRequest(cell, "no worker lives"))


async def test_units_that_are_lost_are_frozen_and_a_late_attempt_writes_nothing(ledger: Ledger) -> None:
    """Asked twice it is the same; what they were is kept, so that an operator knows what to restore."""
    token = await begun(ledger)
    applied = UnitState(unit=UNIT.id, status="applied", digest=UNIT.digest, commit=UNIT.commit)
    await units.record(ledger, STAGING, ROLLOUT, [applied], fencing_token=token)
    late = await cells.claim(
        ledger, STAGING, STACK, rollout_id=ROLLOUT, holder="an attempt that hangs", environment_token=token
    )

    await freeze(ledger, token)
    await freeze(ledger, token)

    known = await units.find(ledger, STAGING, UNIT.id)
    assert known is not None
    assert (known.status, known.digest, known.commit) == ("frozen", UNIT.digest, UNIT.commit)
    with pytest.raises(StaleFencingToken):
        await units.record(ledger, STAGING, ROLLOUT, [applied], fencing_token=token, claim=late)


async def test_a_newer_rollout_is_not_written_over(ledger: Ledger) -> None:
    """It says itself what becomes of them."""
    token = await begun(ledger)
    await begun(ledger, "rollout-2")

    with pytest.raises(StaleFencingToken):
        await freeze(ledger, token)

    assert await units.find(ledger, STAGING, UNIT.id) is None
