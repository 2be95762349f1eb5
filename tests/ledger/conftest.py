"""A migrated ledger in a database of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from workflows.ledger import Ledger, rollouts
from workflows.ledger.models import NewRollout, Rollout

COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        yield opened


@pytest.fixture
async def rollout(ledger: Ledger) -> Rollout:
    return await rollouts.start(ledger, new_rollout())


def new_rollout(rollout_id: str = "rollout-1", *, commit: str = COMMIT, environment: str = "staging") -> NewRollout:
    """A rollout that a person asked for on the command line."""
    return NewRollout(
        id=rollout_id, environment=environment, kind="deliver", commit=commit, requested_by="ada", source="cli"
    )
