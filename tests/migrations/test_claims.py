"""Who may change a database: one operation at a time, and no more the one from which another has taken it."""

from __future__ import annotations

import pytest

from workflows.ledger import Ledger, fencing, rollouts
from workflows.ledger import migrations_claims as claims
from workflows.ledger import migrations_targets as rows
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.migrations_claims import ClaimedTarget, TargetBusy, TargetClaim
from workflows.ledger.models import NewRollout

CATALOG = {"digest": "d" * 64, "body": {}}


def of(operation: str, token: int | None = None, attempt: int = 1) -> TargetClaim:
    """The claim of an attempt of an operation."""
    holder = f"{operation}.{attempt}"
    return TargetClaim(environment="staging", operation_id=operation, holder=holder, environment_token=token)


def database(name: str) -> ClaimedTarget:
    """A database of a tenant."""
    return ClaimedTarget(target=f"main/{name}", scripts="shop", engine="mysql", tenants=[name])


async def begun(ledger: Ledger, claim: TargetClaim, name: str) -> None:
    """The attempt changes the database."""
    await claims.claim(ledger, claim, [database(name)])
    await rows.begin(ledger, claim, f"main/{name}", (1, 2), catalog=CATALOG, written={})


async def ended(ledger: Ledger, claim: TargetClaim, name: str) -> None:
    """It has its version."""
    await rows.finish(ledger, claim, f"main/{name}", ("delivered", "applied"), version=2)


async def rolled_out(ledger: Ledger) -> int:
    """A rollout is under way; its token."""
    new = NewRollout(id="r-1", environment="staging", kind="deliver", commit="c" * 40, requested_by="ada", source="cli")
    await rollouts.start(ledger, new)
    return await fencing.acquire(ledger, "staging", "r-1")


async def test_what_one_operation_is_changing_no_other_takes(ledger: Ledger) -> None:
    """Until it has ended; then it is free. The others of the same call stay free, too."""
    await begun(ledger, of("one"), "acme")
    with pytest.raises(TargetBusy, match="main/acme was not touched: one is changing it"):
        await claims.claim(ledger, of("two"), [database("acme"), database("globex")])
    await claims.check(ledger, of("one"), ["main/acme"])
    assert await rows.find_target(ledger, "main/globex") is None
    await ended(ledger, of("one"), "acme")
    await begun(ledger, of("two"), "acme")


async def test_another_attempt_of_the_same_operation_takes_it(ledger: Ledger) -> None:
    """The one before it is refused from then on."""
    await begun(ledger, of("one"), "acme")
    await claims.claim(ledger, of("one", attempt=2), [database("acme")])
    with pytest.raises(StaleFencingToken):
        await claims.check(ledger, of("one"), ["main/acme"])


async def test_a_rollout_takes_it_and_it_is_not_taken_back(ledger: Ledger) -> None:
    """What was begun before the rollout is the rollout's; no attempt, and no restore, gets it again."""
    await begun(ledger, of("one"), "acme")
    token = await rolled_out(ledger)
    await claims.claim(ledger, of("r-1-migrate", token), [database("acme")])
    for attempt in (2, 3):
        with pytest.raises(StaleFencingToken, match="main/acme belongs to another attempt now"):
            await claims.claim(ledger, of("one", attempt=attempt), [database("acme")])
    await claims.check(ledger, of("r-1-migrate", token), ["main/acme"])


async def test_nobody_takes_by_hand_what_a_rollout_under_way_had(ledger: Ledger) -> None:
    """It may come back to it; once it has ended, anybody may."""
    claim = of("r-1-migrate", await rolled_out(ledger))
    await begun(ledger, claim, "acme")
    await ended(ledger, claim, "acme")
    with pytest.raises(TargetBusy, match="the rollout r-1 is under way"):
        await claims.claim(ledger, of("two"), [database("acme")])
    await rollouts.finish(ledger, "r-1", "delivered")
    await claims.claim(ledger, of("two"), [database("acme")])


async def test_of_many_the_free_ones_are_taken_and_the_others_told(ledger: Ledger) -> None:
    """By name, with what keeps them, and whether they were ours before."""
    await begun(ledger, of("one"), "acme")
    await begun(ledger, of("mine"), "globex")
    await ended(ledger, of("mine"), "globex")
    await begun(ledger, of("later"), "globex")
    chosen = [database(name) for name in ("acme", "globex", "umbrella")]
    busy = await claims.claim_free(ledger, of("mine", attempt=2), chosen)
    assert {name: (one.why, one.is_taken_over) for name, one in busy.items()} == {
        "main/acme": ("one is changing it", False),
        "main/globex": ("it belongs to later now", True),
    }
    await claims.check(ledger, of("mine", attempt=2), ["main/umbrella"])


async def test_what_was_ended_from_outside_is_free_and_needs_somebody(ledger: Ledger) -> None:
    """Else no operation could ever take it."""
    await begun(ledger, of("one"), "acme")
    assert await rows.operations_under_way(ledger, "staging") == ("one",)
    await rows.abandon(ledger, "staging", "one", "it was terminated")
    assert await rows.operations_under_way(ledger, "staging") == ()
    known = await rows.find_target(ledger, "main/acme")
    assert known is not None
    assert (known.status, known.reason) == ("needs-operator", "it was terminated")
    await claims.claim(ledger, of("two"), [database("acme")])


async def test_what_is_taken_back_next(ledger: Ledger) -> None:
    """The last run that came to an end; one that needs somebody, as long as somebody is needed."""
    await begun(ledger, of("one"), "acme")
    await ended(ledger, of("one"), "acme")
    await begun(ledger, of("two"), "acme")
    assert (await rows.newest_runs(ledger, "staging"))["main/acme"].operation_id == "one"
    await rows.finish(ledger, of("two"), "main/acme", ("needs-operator", "needs-operator"), version=3, reason="half")
    assert (await rows.newest_runs(ledger, "staging"))["main/acme"].operation_id == "two"
    await claims.claim(ledger, of("three"), [database("acme")])
    await ended(ledger, of("three"), "acme")
    assert (await rows.newest_runs(ledger, "staging"))["main/acme"].operation_id == "one"


@pytest.mark.parametrize("ends", [("restored", "refused"), ("kept", "kept")])
async def test_an_operation_that_began_nothing_leaves_what_needs_somebody(
    ledger: Ledger, ends: tuple[rows.RunStatus, rows.TargetStatus]
) -> None:
    """It is still the next one to be taken back, with its own reason; what needs nobody says why it was refused."""
    await begun(ledger, of("one"), "acme")
    await ended(ledger, of("one"), "acme")
    await begun(ledger, of("two"), "acme")
    await rows.abandon(ledger, "staging", "two", "it was terminated")
    for name in ("acme", "globex"):
        await claims.claim(ledger, of("three"), [database(name)])
        await rows.finish(ledger, of("three"), f"main/{name}", ends, version=3, reason="rows would be lost")
    known = {one.target: one for one in await rows.targets_of(ledger, "staging")}
    left, other = known["main/acme"], known["main/globex"]
    assert (left.status, left.reason, left.version) == ("needs-operator", "it was terminated", 3)
    assert (other.status, other.reason) == (ends[1], "rows would be lost")
    assert (await rows.newest_runs(ledger, "staging"))["main/acme"].operation_id == "two"


async def test_what_was_left_half_way_until_another_run_ends(ledger: Ledger) -> None:
    """None before, none after one that ended well; of one that failed and was restored nothing follows."""
    await begun(ledger, of("one"), "acme")
    await rows.abandon(ledger, "staging", "one", "it was terminated")
    await begun(ledger, of("two"), "acme")
    two = await rows.find_run(ledger, "two", "main/acme")
    assert two is not None
    await rows.finish(ledger, of("two"), "main/acme", ("restored", "restored"), version=1)
    half = await rows.half_way_run(ledger, "main/acme")
    assert half is not None
    assert half.operation_id == "one"
    assert await rows.half_way_run(ledger, "main/acme", half.started_at) is None
    await begun(ledger, of("three"), "acme")
    await ended(ledger, of("three"), "acme")
    assert await rows.half_way_run(ledger, "main/acme") is None
    assert await rows.half_way_run(ledger, "main/acme", two.started_at) == half
