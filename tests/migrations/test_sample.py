"""The scripts of the sample shop: valid, safe, and proved on a real server."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policies.folder_tree import FolderTree
from policies.loader import load
from policies.migrations.safety.findings import Statistics
from tests.support.local_stack import LocalStack
from workflows.clients.databases import DatabaseAddress
from workflows.migrations.planning import as_declared, planned
from workflows.migrations.proof import prove_migrations

ROOT = Path(__file__).parents[2]


def test_every_phase_of_a_change_is_shown_and_nothing_in_it_blocks() -> None:
    """Expand, backfill and contract, planned on an empty database and on one of the version before."""
    scripts = load(FolderTree(ROOT)).databases["shop"]
    assert {one.up.header.phase for one in scripts.migrations} == {"expand", "backfill", "contract"}
    for version in range(scripts.newest):
        recorded = as_declared(scripts, version)
        found = planned(
            "production",
            scripts,
            recorded,
            scripts.newest,
            compared_with="",
            sizes=Statistics(),
            waivers=(),
            today=date(2026, 1, 31),
        )
        assert not found.is_blocking


def test_every_environment_declares_a_version() -> None:
    """Production is behind: a contract script follows the services that no longer need what it drops."""
    environments = load(FolderTree(ROOT)).environments
    versions = {
        name: [one.version for one in declared.migrations.databases]
        for name, declared in environments.items()
        if declared.migrations is not None
    }
    assert versions == {"development": [4], "staging": [3], "production": [2]}


async def test_every_script_can_be_taken_back(local_stack: LocalStack) -> None:
    """Up, down and up again."""
    scripts = load(FolderTree(ROOT)).databases["shop"]
    proof = await prove_migrations(DatabaseAddress.parse(local_stack.postgres_url), scripts)
    assert [one.verdict for one in proof.migrations] == ["proved"] * scripts.newest


@pytest.mark.parametrize("path", sorted((ROOT / "infra/databases").rglob("*.sql")), ids=lambda path: path.name)
def test_no_script_holds_a_secret(path: Path) -> None:
    """Scripts are in Git for everybody."""
    text = path.read_text("utf-8").lower()
    assert not any(word in text for word in ("password", "secret", "token"))
