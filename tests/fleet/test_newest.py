"""Freezes are read from the branch as it is now, on a real repository."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from policies.git_mirror import Mirror
from tests.delivery.shop import Shop
from tests.support.quoted import Quoted
from workflows.clients.git import Repository
from workflows.errors import AdxValidationError
from workflows.fleet.newest import newest_rules
from workflows.runtime import Runtime

FREEZE = {
    "name": "incident",
    "reason": "The database is being repaired.",
    "from": Quoted("2026-11-26T08:00"),
    "until": Quoted("2026-11-27T08:00"),
    "time_zone": "Europe/Berlin",
}


def runtime_of(shop: Shop, folder: Path) -> Runtime:
    """As much of one as reads a repository."""
    mirror = Mirror.open(str(shop.remote), folder / "mirror", "main")
    return cast(Runtime, SimpleNamespace(repository=Repository(mirror)))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A repository with one merge and no freeze."""
    shop = Shop(tmp_path, "staging")
    shop.merge("first")
    return shop


async def freezes(runtime: Runtime) -> list[str]:
    """The names of those that are declared now."""
    rules = await newest_rules(runtime, "staging")
    assert rules is not None
    return [freeze.name for freeze in rules.freezes]


async def test_a_freeze_that_is_merged_later_is_seen(shop: Shop, tmp_path: Path) -> None:
    """And one that is taken back no longer."""
    runtime = runtime_of(shop, tmp_path)
    before = await freezes(runtime)
    shop.rules["freezes"] = [FREEZE]
    shop.merge("freeze")
    merged = await freezes(runtime)
    shop.rules["freezes"] = []
    shop.merge("thaw")

    assert (before, merged, await freezes(runtime)) == ([], ["incident"], [])


async def test_while_the_repository_is_away_the_head_that_is_known_counts(shop: Shop, tmp_path: Path) -> None:
    """A rollout under way does not stop because of it."""
    runtime = runtime_of(shop, tmp_path)
    shop.rules["freezes"] = [FREEZE]
    shop.merge("freeze")
    await freezes(runtime)
    shutil.rmtree(shop.remote)

    assert await freezes(runtime) == ["incident"]


async def test_a_declaration_that_cannot_be_understood_holds(shop: Shop, tmp_path: Path) -> None:
    """It may have been a freeze: whoever sees nothing has proved nothing. The message says where to look."""
    shop.rules["freezes"] = [{**FREEZE, "until": "tomorrow"}]
    shop.merge("broken")

    with pytest.raises(AdxValidationError, match=r"staging/environment.yaml:\d+: ") as refused:
        await newest_rules(runtime_of(shop, tmp_path), "staging")
    assert "goes on by itself" in refused.value.next_step


async def test_an_environment_that_the_branch_no_longer_has_declares_nothing(shop: Shop, tmp_path: Path) -> None:
    """The rollout then keeps to what it was merged with."""
    shop.merge("first")

    assert await newest_rules(runtime_of(shop, tmp_path), "production") is None
