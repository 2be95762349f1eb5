"""A ledger that the first version wrote is migrated by today's ADX, and tells the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from tests.pipelines.command import adx, environment
from tests.upgrade.first_version import ENVIRONMENT, KEPT, restore_ledger
from workflows.ledger import Ledger, schema_version
from workflows.ledger.tables import metadata


async def test_the_first_ledger_becomes_todays(ledger_url: str) -> None:
    """From version 0001, with rows in it, to exactly the tables that the code uses."""
    restore_ledger(ledger_url)

    def differences(connection: Connection) -> list[object]:
        options = {"compare_server_default": False, "include_name": lambda name, kind, _: name != "adx_ledger_version"}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with await Ledger.open(ledger_url) as ledger:
        assert await ledger.version() == "0001"
        assert await ledger.migrate() == schema_version.HEAD
        async with ledger.transaction() as connection:
            assert await connection.run_sync(differences) == []


async def test_its_history_and_its_audit_trail_are_told_as_they_were(ledger_url: str, tmp_path: Path) -> None:
    """By the commands that people use; the trail ends in the hash that the first version wrote."""
    restore_ledger(ledger_url)
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
    environ = environment(tmp_path, ADX_LEDGER_URL=ledger_url)

    def told(*arguments: str) -> Any:
        return json.loads(adx(*arguments, "--json", environ=environ, folder=tmp_path).out)

    rollouts = [entry["rollout"] for entry in told("history", ENVIRONMENT)]
    outcomes = [(one["status"], one["requested_by"], one["restore_verified"]) for one in rollouts]
    (story,) = told("history", ENVIRONMENT, "--unit", "service/frontend")
    end = told("verify-audit")

    assert outcomes == [("restored", "grace", True), ("delivered", "ada", None), ("delivered", "ada", None)]
    assert [entry["change"]["status"] for entry in story["changes"]] == ["restored", "applied", "applied"]
    assert f"{end['sequence']}\t" in (KEPT / "ledger.sql").read_text()
    assert end["hash"] in (KEPT / "ledger.sql").read_text()
