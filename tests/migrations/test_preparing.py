"""Where an operation by hand brings a database. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from policies.migrations.targets import MigrationTarget
from workflows.ledger.migrations_targets import DatabaseRun, RunStatus
from workflows.migrations.models import Wanted
from workflows.migrations.preparing import towards

TARGET = MigrationTarget(
    id="main/acme",
    server="main",
    database="acme",
    schema="",
    scripts="shop",
    engine="mysql",
    tenants=("acme",),
    from_version=3,
    to_version=3,
)


def run(status: RunStatus, start: int, end: int) -> DatabaseRun:
    """The last run of an operation called one."""
    return DatabaseRun(
        operation_id="one",
        target="main/acme",
        environment="staging",
        from_version=start,
        to_version=end,
        status=status,
        reason="",
        catalog_before=None,
        catalog_after=None,
        written={},
        backup=None,
        started_at=datetime.now(UTC),
        finished_at=None,
    )


@pytest.mark.parametrize(
    ("wanted", "newest", "expected"),
    [
        ({}, None, (3, 3)),
        ({"version": 1}, None, (3, 1)),
        ({"version": 5}, None, (5, 5)),
        ({"undoes": "last"}, None, None),
        ({"undoes": "last"}, run("delivered", 2, 3), (3, 2)),
        ({"undoes": "one"}, run("delivered", 2, 3), (3, 2)),
        ({"undoes": "other"}, run("delivered", 2, 3), None),
        ({"undoes": "last"}, run("needs-operator", 3, 5), (5, 3)),
    ],
)
def test_the_versions_that_it_may_have_and_is_to_get(
    wanted: dict[str, Any], newest: DatabaseRun | None, expected: tuple[int, int] | None
) -> None:
    """As declared, as asked, or as it was; what a run left half way may be higher than what was delivered."""
    found = towards(TARGET, Wanted("staging", "ada", **wanted), newest)
    assert (None if found is None else (found.from_version, found.to_version)) == expected
