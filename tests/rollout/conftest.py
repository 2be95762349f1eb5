"""The time-skipping server, one per test, with its worker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.rollout.doubles import Doubles
from tests.rollout.harness import Harness, harness_on_new_server


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    """A worker with doubled activities."""
    async with harness_on_new_server(Doubles()) as harness:
        yield harness
