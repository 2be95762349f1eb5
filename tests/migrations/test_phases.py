"""What comes before the services, what after, and what cannot be in one delivery."""

from __future__ import annotations

import pytest

from policies.migrations.phases import SchemaOrderRefused, version_before_services
from tests.migrations.scripts import scripts_of

CONTRACT = "-- adx: phase=contract\n-- adx: requires={}\n"
SCRIPTS = scripts_of(
    "postgresql",
    ("CREATE TABLE a (x int)", "DROP TABLE a"),
    ("-- adx: compatible=1\nALTER TABLE a ADD COLUMN y int", "ALTER TABLE a DROP COLUMN y"),
    ("-- adx: phase=backfill\nUPDATE a SET y = x", "SELECT 1"),
    (f"{CONTRACT.format(2)}ALTER TABLE a DROP COLUMN x", "ALTER TABLE a ADD COLUMN x int"),
)


@pytest.mark.parametrize(
    ("versions", "running", "coming", "before"),
    [
        ((0, 3), {}, {"cart": 1}, 3),
        ((1, 3), {"cart": 1}, {"cart": 2}, 3),
        ((1, 4), {"cart": 1}, {"cart": 2}, 3),  # the contract waits for the new service
        ((3, 4), {"cart": 2}, {"cart": 2}, 4),
        ((3, 4), {"old": 1, "cart": 2}, {"cart": 2}, 3),  # a service that goes still runs
        ((3, 4), {}, {}, 4),
        ((4, 1), {"cart": 2}, {"cart": 1}, 3),  # the contract is taken back before the old service comes
        ((3, 1), {"cart": 1}, {"cart": 1}, 3),
        ((3, 3), {"cart": 1}, {"cart": 1}, 3),
    ],
)
def test_scripts_run_before_services_as_far_as_those_that_run_survive(
    versions: tuple[int, int], running: dict[str, int], coming: dict[str, int], before: int
) -> None:
    """The rest runs after them."""
    assert version_before_services(SCRIPTS, versions, running, coming) == before


@pytest.mark.parametrize(
    ("versions", "running", "coming", "message"),
    [
        (
            (3, 4),
            {"cart": 1},
            {"cart": 1},
            "0004_step_4.up.sql is for services written for version 2 .* cart is written for 1",
        ),
        ((1, 2), {}, {"cart": 3}, "cart is written for 3, and shop is to have version 2"),
        ((1, 4), {"cart": 1}, {"cart": 4}, "before they come shop can only have version 3"),
        ((4, 1), {"cart": 4}, {"cart": 1}, "must go back to version 3 .* cart is written for 4"),
    ],
)
def test_what_fits_in_no_order_is_refused(
    versions: tuple[int, int], running: dict[str, int], coming: dict[str, int], message: str
) -> None:
    """With the script, the service and a way out."""
    with pytest.raises(SchemaOrderRefused, match=message) as caught:
        version_before_services(SCRIPTS, versions, running, coming)
    assert caught.value.next_step
