"""`adx services … --delivered` on real parts: git and the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.pipelines.command import Ran, adx, environment
from tests.promotion.shop import SERVICES, SOURCE, Shop
from tests.support.github_server import GitHubServer
from workflows.ledger import Ledger


@pytest.fixture
async def shop(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """Delivered to its source once; then a newer version of the frontend was merged."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as server:
        async with await Ledger.open(ledger_url) as ledger:
            await ledger.migrate()
            made = Shop(ledger, ledger_url, tmp_path, server)
            await made.deliver(made.commit())
            made.edit(SERVICES.format(SOURCE), "version: v1.2.0", "version: v1.3.0")
            made.commit()
            yield made


async def run(shop: Shop, *arguments: str) -> Ran:
    """`adx services …` at the head of the branch."""
    environ = environment(shop.folder / "home", COLUMNS="80", ADX_LEDGER_URL=shop.ledger_url)
    whole = ("services", *arguments, "--ref", "main", "--repo", str(shop.repository.path))
    return await asyncio.to_thread(adx, *whole, environ=environ, folder=shop.folder)


async def test_what_was_delivered_stands_beside_what_is_declared(shop: Shop) -> None:
    """An environment that nothing was delivered to has a dash."""
    listed = await run(shop, "list", "--delivered")
    assert listed.code == 0, listed.err
    assert re.search(rf"frontend +{SOURCE} +v1\.3\.0 +v1\.2\.0 ", listed.out)
    assert re.search(r"frontend +production +v1\.2\.0 +- ", listed.out)
    shown = json.loads((await run(shop, "show", "frontend", "--delivered", "--json")).out)
    assert [(row["environment"], row["delivered"]) for row in shown] == [(SOURCE, "v1.2.0"), ("production", None)]
    assert re.search(r"delivered +v1\.2\.0", (await run(shop, "show", "frontend", "-e", SOURCE, "--delivered")).out)
