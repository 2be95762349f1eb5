"""What the ledger knows about the units that are to be promoted, on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from pipelines.promotion import facts
from pipelines.promotion.delivered import delivered_to
from pipelines.promotion.gates import UnitFacts
from policies.git_tree import GitTree
from policies.infrastructure.spec import Promotion
from policies.loader import load_environment
from tests.promotion.shop import SERVICES, SOURCE, Shop

FRONTEND, CHECKOUT = "service/frontend", "service/checkout"
DAY_SECONDS = 86400
RULES = Promotion(from_=SOURCE, no_failure_within_seconds=DAY_SECONDS)


async def known_of(shop: Shop, *units: str) -> list[UnitFacts]:
    """What is known of ``units``, failures within a day."""
    delivered = await delivered_to(shop.ledger, shop.repository.path, SOURCE)
    declared = load_environment(GitTree(shop.repository.path, delivered.commit), SOURCE)
    return list((await facts.facts_of(shop.ledger, delivered, units, declared, RULES)).units)


async def raised(shop: Shop, version: str = "v1.3.0") -> str:
    """The frontend is delivered in another version; the rollout's id."""
    shop.edit(SERVICES.format(SOURCE), "version: v1.2.0", f"version: {version}")
    return await shop.deliver(shop.commit())


@contextmanager
def statements() -> Iterator[list[str]]:
    """Everything that is asked of databases meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("page", [1, 2, 50])
async def test_what_a_rollout_took_back_is_no_delivery(shop: Shop, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last that each rollout left of the unit counts, also where its changes are on two pages."""
    monkeypatch.setattr(facts, "PAGE", page)
    delivered_by = await raised(shop)
    failed = [await shop.fail(shop.commit(), FRONTEND, after=("applied",)) for _ in range(3)]

    (found,) = await known_of(shop, FRONTEND)

    assert (found.delivered_by, found.tests_passed) == (delivered_by, True)
    assert found.failed_in == failed[-1]


async def test_a_failure_before_the_delivery_counts_within_its_time(shop: Shop) -> None:
    """A day later it is none."""
    failed_in = await shop.fail(shop.commit(), FRONTEND)
    delivered_by = await raised(shop)

    (soon,) = await known_of(shop, FRONTEND)
    await shop.age(days=2)
    (later,) = await known_of(shop, FRONTEND)

    assert (soon.delivered_by, soon.failed_in) == (delivered_by, failed_in)
    assert (later.delivered_by, later.failed_at) == (delivered_by, None)


async def test_a_failure_after_the_delivery_is_forgotten_in_time(shop: Shop) -> None:
    """What delivered the unit is found beyond it."""
    failed_in = await shop.fail(shop.commit(), FRONTEND)

    (soon,) = await known_of(shop, FRONTEND)
    await shop.age(days=2)
    (later,) = await known_of(shop, FRONTEND)

    assert (soon.delivered_by, soon.failed_in) == ("rollout-1", failed_in)
    assert (later.delivered_by, later.failed_at) == ("rollout-1", None)


async def test_each_unit_is_judged_by_the_tests_of_its_own_delivery(shop: Shop) -> None:
    """One that did not change since keeps those of the rollout that brought it."""
    shop.edit(SERVICES.format(SOURCE), "version: v1.2.0", "version: v1.3.0")
    untested = await shop.deliver(shop.commit(), tests=False)

    found = await known_of(shop, FRONTEND, CHECKOUT)

    assert [(one.unit, one.delivered_by, one.tests_passed) for one in found] == [
        (CHECKOUT, "rollout-1", True),
        (FRONTEND, untested, False),
    ]


async def test_a_rollout_of_many_units_is_not_read_in_full(shop: Shop) -> None:
    """Its steps are asked for once for all units, its other units and the rollout itself not at all."""
    await raised(shop)
    delivered = await delivered_to(shop.ledger, shop.repository.path, SOURCE)
    declared = load_environment(GitTree(shop.repository.path, delivered.commit), SOURCE)

    with statements() as asked:
        await facts.facts_of(shop.ledger, delivered, [FRONTEND, CHECKOUT], declared, RULES)

    assert len([one for one in asked if "FROM steps" in one]) == 1
    assert len([one for one in asked if "FROM unit_history" in one]) == 2
    assert not [one for one in asked if "rollout_units" in one]
