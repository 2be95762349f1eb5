"""A delivery of one test's own: repository, ledger, state, worker processes; the servers are shared."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivery.delivery import Delivery, opened
from tests.support.local_stack import LocalStack


@pytest.fixture
async def delivery(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[Delivery]:
    """Nothing delivered yet, no worker running yet."""
    async with opened(local_stack.environment | {"ADX_LEDGER_URL": ledger_url}, tmp_path, uuid.uuid4().hex[:8]) as own:
        yield own
