"""What the ledger keeps of drift: since when, how often healed, and what a check that could not compare leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipelines.drift.last import last_checks, last_exit_code
from pipelines.exit_codes import ExitCode
from workflows.ledger import Ledger, drift, environments, fencing, rollouts
from workflows.ledger.drift import DriftCheckRecord, UnitDrift, UnitSeen
from workflows.ledger.models import NewRollout
from workflows.rollout.activity_models import Choice, ChooseRequest
from workflows.rollout.intention import choose
from workflows.rollout.models import Submission

START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
CALM = timedelta(hours=1)
OBJECT = {"kind": "ConfigMap", "name": "cart", "namespace": "shop", "state": "missing", "fields": []}
COMMIT = "a" * 40


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """A ledger that knows a rollout of staging, which delivered COMMIT."""
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        new = NewRollout(
            id="r1", environment="staging", kind="deliver", commit=COMMIT, requested_by="ada", source="cli"
        )
        await rollouts.start(opened, new)
        token = await fencing.acquire(opened, "staging", "r1")
        await environments.record_delivered(
            opened, "staging", commit=COMMIT, state_digest="d", snapshot=None, fencing_token=token
        )
        yield opened


def minutes(number: float) -> datetime:
    return START + timedelta(minutes=number)


async def record(
    ledger: Ledger, minute: float, *, drifted: bool | None, digest: str = "d1", status: str = "drifted"
) -> None:
    """A check of one unit; ``drifted`` None: nothing could be compared."""
    check = DriftCheckRecord(environment="staging", at=minutes(minute), status=status, commit=COMMIT, compared=5)
    seen = UnitSeen(unit="service/cart", digest=digest, commit=COMMIT, objects=(OBJECT,) if drifted else ())
    await drift.record(ledger, check, None if drifted is None else [seen], calm=CALM)


async def unit(ledger: Ledger) -> UnitDrift:
    (found,) = await drift.units_of(ledger, "staging")
    return found


async def heal(ledger: Ledger, minute: float, rollout_id: str, *, is_back: bool = True) -> None:
    await drift.healed(ledger, "staging", ["service/cart"], rollout_id=rollout_id, at=minutes(minute), is_back=is_back)


async def test_a_unit_has_drifted_since_it_was_first_seen_so(ledger: Ledger) -> None:
    await record(ledger, 0, drifted=False)
    await record(ledger, 10, drifted=True)
    await record(ledger, 20, drifted=True)

    found = await unit(ledger)

    assert (found.drifted_since, found.checked_at, found.objects) == (minutes(10), minutes(20), [OBJECT])


async def test_a_unit_that_is_as_delivered_again_has_not_drifted(ledger: Ledger) -> None:
    await record(ledger, 10, drifted=True)
    await record(ledger, 20, drifted=False)

    found = await unit(ledger)

    assert (found.drifted_since, found.objects) == (None, [])


async def test_a_check_that_could_not_compare_leaves_what_is_known(ledger: Ledger) -> None:
    """A cluster that is away has not healed anything."""
    await record(ledger, 10, drifted=True)
    await record(ledger, 20, drifted=None, status="unchecked")

    (check,) = await drift.checks(ledger)

    assert (check.status, check.at, check.compared_at, check.compared) == ("unchecked", minutes(20), minutes(10), 5)
    assert (await unit(ledger)).drifted_since == minutes(10)


async def test_a_unit_that_is_gone_is_forgotten(ledger: Ledger) -> None:
    await record(ledger, 10, drifted=True)
    check = DriftCheckRecord(environment="staging", at=minutes(20), status="as-delivered", commit=COMMIT)
    await drift.record(ledger, check, [], calm=CALM)

    assert await drift.units_of(ledger, "staging") == ()


async def test_heals_in_a_row_are_counted_once_each(ledger: Ledger) -> None:
    """Also when the end of a heal is written twice, and whether it helped or not."""
    await record(ledger, 0, drifted=True)
    await heal(ledger, 1, "h1")
    await heal(ledger, 1, "h1")
    assert (await unit(ledger)).drifted_since is None
    await record(ledger, 10, drifted=True)
    await heal(ledger, 11, "h2", is_back=False)

    found = await unit(ledger)

    assert (found.heals, found.heal_rollout, found.drifted_since) == (2, "h2", minutes(10))


@pytest.mark.parametrize(("minute", "heals"), [(30, 1), (59, 1), (62, 0)])
async def test_a_unit_that_stays_healed_begins_anew(ledger: Ledger, minute: float, heals: int) -> None:
    await record(ledger, 0, drifted=True)
    await heal(ledger, 1, "h1")
    await record(ledger, minute, drifted=False)

    assert (await unit(ledger)).heals == heals


async def test_a_unit_that_drifts_long_after_its_heal_still_counts(ledger: Ledger) -> None:
    """Only a look that finds it as delivered makes it calm."""
    await record(ledger, 0, drifted=True)
    await heal(ledger, 1, "h1")
    await record(ledger, 600, drifted=True)

    assert (await unit(ledger)).heals == 1


async def test_a_unit_that_is_declared_otherwise_begins_anew(ledger: Ledger) -> None:
    await record(ledger, 0, drifted=True)
    await heal(ledger, 1, "h1")
    await record(ledger, 2, drifted=True, digest="d2")

    assert (await unit(ledger)).heals == 0


async def test_the_last_check_is_told_without_a_look_at_the_cluster(ledger: Ledger) -> None:
    """Drift is a failure, no check at all no good answer."""
    known = await environments.all_environments(ledger)
    never = await last_checks(ledger, known)
    await record(ledger, 10, drifted=True)
    drifted = await last_checks(ledger, known)
    await record(ledger, 20, drifted=False, status="as-delivered")
    clean = await last_checks(ledger, known)

    assert [one[0].status for one in (never, drifted, clean)] == ["never-checked", "drifted", "as-delivered"]
    assert [one.unit for one in drifted[0].units] == ["service/cart"]
    assert list(map(last_exit_code, (never, drifted, clean))) == [
        ExitCode.UNREACHABLE,
        ExitCode.FAILED,
        ExitCode.OK,
    ]


async def chosen(ledger: Ledger, *submissions: Submission) -> Choice:
    """The next submission, where git is not needed for it."""
    runtime = cast("Any", SimpleNamespace(ledger=ledger))
    return await choose(runtime, ChooseRequest("staging", list(submissions)))


async def test_the_newest_heal_of_what_is_delivered_is_chosen_and_the_others_are_settled(ledger: Ledger) -> None:
    first = Submission("staging", COMMIT, "adx", "drift", kind="heal", units=["service/cart"])
    second = Submission("staging", COMMIT, "adx", "drift", kind="heal", units=["service/cart", "tenant/acme"])

    assert await chosen(ledger, first, second) == Choice(second)


async def test_a_heal_of_what_is_no_longer_delivered_is_settled_without_a_rollout(ledger: Ledger) -> None:
    """What it was asked for was compared with another commit."""
    old = Submission("staging", "b" * 40, "adx", "drift", kind="heal", units=["service/cart"])

    assert await chosen(ledger, old) == Choice(None)


async def test_a_rollback_comes_before_a_heal(ledger: Ledger) -> None:
    heal_ = Submission("staging", COMMIT, "adx", "drift", kind="heal", units=["service/cart"])
    rollback = Submission("staging", "", "ada", "cli", kind="rollback")

    assert await chosen(ledger, heal_, rollback) == Choice(rollback, [heal_])
