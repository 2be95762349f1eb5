"""A delivery of one test's own, as the tests of deliveries have it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.delivery.delivery import Delivery, opened
from tests.support.local_stack import LocalStack


@pytest.fixture
async def delivery(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[Delivery]:
    """A shop that was delivered once; a worker is running."""
    settings = local_stack.environment | {"ADX_LEDGER_URL": ledger_url}
    async with opened(settings, tmp_path, uuid.uuid4().hex[:8]) as own:
        own.start_worker()
        own.shop.merge("first")
        assert (await own.deliver()).outcome == "delivered"
        yield own
