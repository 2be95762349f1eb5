"""A shop of each test's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.promotion.shop import TOKEN, Shop
from tests.support.github_server import GitHubServer
from workflows.ledger import Ledger


@pytest.fixture
async def shop(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """Delivered to its source once, from its only commit."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as server:
        server.add_token(TOKEN, "adx-robot")
        async with await Ledger.open(ledger_url) as ledger:
            await ledger.migrate()
            made = Shop(ledger, ledger_url, tmp_path, server)
            server.branch_head = made.head
            await made.deliver(made.commit())
            yield made
