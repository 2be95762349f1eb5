"""Whom a scheduled check tells: the git hosting once for each change, the audit trail once for each series."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from tests.drift.results import AS_DELIVERED, COMMIT, DRIFTED, UNDER_WAY
from tests.support.github_server import GitHubServer
from workflows.drift.findings import EnvironmentDrift
from workflows.drift.telling import tell, tell_given_up
from workflows.ledger import Ledger, audit, drift
from workflows.ledger.drift import DriftCheckRecord, UnitSeen
from workflows.runtime import Runtime

TOKEN = "canary-hosting-token-77c2"
NOW = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
CLEAN = msgspec.structs.replace(AS_DELIVERED, environment="production")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """A GitHub on a local port."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as running:
        running.add_token(TOKEN, "adx-robot")
        running.add_token("reads-only", "ana", read_only=True)
        yield running


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """A ledger in which production was checked, and its cart healed once."""
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        check = DriftCheckRecord(environment="production", at=NOW, status="drifted", commit=COMMIT)
        seen = UnitSeen(unit="service/cart", digest="d", commit=COMMIT, objects=({"kind": "ConfigMap"},))
        await drift.record(opened, check, [seen], calm=timedelta(hours=1))
        await drift.healed(opened, "production", ["service/cart"], rollout_id="h1", at=NOW, is_back=False)
        yield opened


def runtime(ledger: Ledger, server: GitHubServer | None, token: str = TOKEN) -> Runtime:
    """What telling needs of a worker."""
    environ = server.environment(token) if server is not None else {}
    return cast("Runtime", SimpleNamespace(ledger=ledger, environ=environ))


def told(server: GitHubServer) -> list[tuple[str, str, str]]:
    """Every status that was set, in order."""
    return [(one["context"], one["state"], one["description"]) for one in server.state.statuses]


async def test_the_hosting_is_told_changes_only(ledger: Ledger, server: GitHubServer) -> None:
    """A check every minute must not set a status every minute; a rollout under way says nothing about drift."""
    worker = runtime(ledger, server)
    await tell(worker, DRIFTED, "")
    asked = len(server.seen)
    await tell(worker, DRIFTED, "")
    await tell(worker, UNDER_WAY, "")
    assert len(server.seen) == asked
    await tell(worker, DRIFTED, "freeze fair")
    await tell(worker, CLEAN, "")

    assert told(server) == [
        ("adx/drift/production", "failure", "2 changed, 1 missing, 2 of no unit"),
        ("adx/drift/production", "failure", "2 changed, 1 missing, 2 of no unit; not healed: freeze fair"),
        ("adx/drift/production", "success", "as delivered: 58 objects compared"),
    ]


async def test_where_no_hosting_is_configured_nobody_is_told(ledger: Ledger) -> None:
    """That is no failure of the check."""
    await tell(runtime(ledger, None), DRIFTED, "")

    assert (await drift.checks(ledger))[0].told == ""


async def test_a_hosting_that_refuses_is_told_again_by_the_next_check(ledger: Ledger, server: GitHubServer) -> None:
    """The check itself goes on."""
    await tell(runtime(ledger, server, "reads-only"), DRIFTED, "")
    assert told(server) == []
    await tell(runtime(ledger, server), DRIFTED, "")

    assert len(told(server)) == 1


async def test_what_this_worker_knows_to_be_secret_reaches_no_status(ledger: Ledger, server: GitHubServer) -> None:
    """An error may quote what it was given."""
    quoting: EnvironmentDrift = msgspec.structs.replace(DRIFTED, status="unchecked", reason=f"said {TOKEN}", objects=())
    await tell(runtime(ledger, server), quoting, "")

    ((_, state, description),) = told(server)
    assert state == "error"
    assert TOKEN not in description


async def test_a_unit_that_is_given_up_is_in_the_audit_trail_once(ledger: Ledger) -> None:
    """Each check finds it again."""
    for _ in range(2):
        await tell_given_up(ledger, await drift.units_of(ledger, "production"))

    (row,) = await audit.entries(ledger, environment="production")
    assert (row.action, row.detail["unit"], row.detail["heals"]) == ("drift.given-up", "service/cart", 1)
