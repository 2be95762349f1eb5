"""What the JSON Schema of migrations accepts and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from policies.schemas import validator_for


def document(**target: Any) -> dict[str, Any]:
    """A document with one database, changed by ``target``; None removes."""
    database = {"name": "shop", "engine": "postgresql", "version": 3} | target
    kept = {key: value for key, value in database.items() if value is not None}
    return {"apiVersion": "adx/v1", "kind": "Migrations", "environment": "development", "databases": [kept]}


@pytest.mark.parametrize("target", [{}, {"version": 0}, {"engine": "mysql"}, {"used_by": "platform"}])
def test_accepted(target: dict[str, Any]) -> None:
    """A database with the newest version that is applied."""
    assert validator_for("migrations").is_valid(document(**target))


@pytest.mark.parametrize(
    "target",
    [
        {"name": "../shop"},
        {"name": "Shop"},
        {"name": "a" * 41},
        {"name": "shop\n"},
        {"engine": "oracle"},
        {"version": -1},
        {"version": 10_000},
        {"version": "3"},
        {"version": 2.5},
        {"version": True},
        {"version": None},
        {"used_by": "nobody"},
        {"unknown": 1},
    ],
)
def test_refused(target: dict[str, Any]) -> None:
    """Names that are paths, versions that are none, keys that nobody knows."""
    assert not validator_for("migrations").is_valid(document(**target))
