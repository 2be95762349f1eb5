"""`adx history`, `show` and `verify-audit` on a real ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.command import Ran, adx, environment
from workflows.ledger import Ledger, fencing, rollouts, steps, units
from workflows.ledger.models import NewRollout, RolloutState

COMMIT = "8d1e77aa" * 5


@pytest.fixture
def run(ledger_url: str, tmp_path: Path) -> Callable[..., Ran]:
    """Runs `adx` on a ledger with a delivered rollout of production and a failed one of staging."""
    asyncio.run(fill(ledger_url))

    def run_with_ledger(*arguments: str) -> Ran:
        return adx(*arguments, environ=environment(tmp_path / "home", ADX_LEDGER_URL=ledger_url), folder=tmp_path)

    return run_with_ledger


async def fill(url: str) -> None:
    """Two rollouts as workflows would write them."""
    async with await Ledger.open(url) as ledger:
        await ledger.migrate()
        for name, status in (("production", "delivered"), ("staging", "failed")):
            new = NewRollout(
                id=f"rollout-{name}",
                environment=name,
                kind="deliver",
                commit=COMMIT,
                requested_by="ana",
                source="cli",
            )
            await rollouts.start(ledger, new)
            await steps.begin(ledger, new.id, "validate")
            await rollouts.finish(ledger, new.id, status, failure={"step": "plan", "message": "no"})  # type: ignore[arg-type] # literal from the tuple


async def add(url: str, id_: str, status: RolloutState, frozen: str = "") -> None:
    """One more rollout, of the environment testing, that ended so; with a unit that it left frozen."""
    async with await Ledger.open(url) as ledger:
        new = NewRollout(id=id_, environment="testing", kind="deliver", commit=COMMIT, requested_by="ana", source="cli")
        await rollouts.start(ledger, new)
        if frozen:
            token = await fencing.acquire(ledger, "testing", id_)
            state = units.UnitState(unit=frozen, status="frozen", digest=None, commit=COMMIT)
            await units.record(ledger, "testing", id_, [state], fencing_token=token)
        failure = {"step": "tenants", "message": "1 lost"} if status == "partly-delivered" else None
        await rollouts.finish(ledger, id_, status, failure=failure)


def test_history_lists_all_environments_newest_first(run: Callable[..., Ran]) -> None:
    shown = run("history")
    assert shown.code == 0
    assert shown.out.index("rollout-staging") < shown.out.index("rollout-production")


def test_history_of_one_environment_as_json(run: Callable[..., Ran]) -> None:
    found = json.loads(run("history", "production", "--json").out)
    assert [entry["rollout"]["id"] for entry in found] == ["rollout-production"]


def test_history_of_a_unit_that_nothing_touched_is_empty(run: Callable[..., Ran]) -> None:
    assert json.loads(run("--json", "history", "--tenant", "acme").out) == []


def test_show_tells_status_and_failure(run: Callable[..., Ran]) -> None:
    shown = run("show", "rollout-staging")
    assert shown.code == 0
    assert "failed" in shown.out
    assert "plan: no" in shown.out
    assert "validate" in shown.out


def test_show_of_a_rollout_that_left_something_says_what_is_next_until_another_follows(
    run: Callable[..., Ran], ledger_url: str
) -> None:
    """A rollback asked for then would take back what the later one delivered."""
    asyncio.run(add(ledger_url, "rollout-1", "partly-delivered"))
    first = run("show", "rollout-1")
    asyncio.run(add(ledger_url, "rollout-2", "delivered"))
    then = run("show", "rollout-1")

    assert "adx rollback testing" in " ".join(first.out.split())
    assert "a later rollout has followed: `adx show rollout-2`" in " ".join(then.out.split())
    assert "adx rollback" not in then.out
    assert json.loads(run("show", "rollout-1", "--json").out)["rollout"]["id"] == "rollout-1"


def test_the_history_of_a_frozen_unit_says_what_is_next_until_another_rollout_follows(
    run: Callable[..., Ran], ledger_url: str
) -> None:
    """Also where that one had nothing to do with the unit."""
    asyncio.run(add(ledger_url, "rollout-1", "partly-delivered", frozen="tenant/acme"))
    first = run("history", "--tenant", "acme")
    asyncio.run(add(ledger_url, "rollout-2", "delivered"))
    then = run("history", "--tenant", "acme")

    assert "adx rollback testing" in " ".join(first.out.split())
    assert "a later rollout has followed: `adx show rollout-2`" in " ".join(then.out.split())
    assert "adx rollback" not in then.out


def test_show_of_an_unknown_rollout_exits_with_6(run: Callable[..., Ran]) -> None:
    shown = run("show", "nothing\n\x1b[31m")
    assert shown.code == 6
    assert "knows no rollout" in shown.err
    assert "\x1b" not in shown.err


def test_audit_trail_is_verified_against_an_end_that_was_kept(run: Callable[..., Ran]) -> None:
    head = json.loads(run("verify-audit", "--json").out)
    kept = f"{head['sequence']}:{head['hash']}"
    assert head["sequence"] == 4
    assert run("verify-audit", "--kept", kept).code == 0
    assert run("verify-audit", "--kept", f"{head['sequence']}:{'0' * 64}").code == 5
    assert run("verify-audit", "--kept", "nonsense").code == 2
