"""A tenant whose removal fails is restored only where nothing of it is lost yet."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from workflows.cells.activities import CellActivities
from workflows.cells.models import CellRequest, UnitResult
from workflows.cells.plan import standing
from workflows.runtime import Runtime

GOING, KEPT, CHANGED = "tenant/going", "tenant/kept", "tenant/changed"


def namespace(unit: str, *, is_going: bool = False) -> dict[str, object]:
    """As the API server gives it."""
    metadata: dict[str, object] = {"labels": {"adx/unit": unit.replace("/", ".")}}
    return {"kind": "Namespace", "metadata": metadata | ({"deletionTimestamp": "2026"} if is_going else {})}


def test_only_a_namespace_that_is_not_being_deleted_stands() -> None:
    """And only a namespace says so: other objects are declared, and can be made again."""
    quota = namespace(CHANGED) | {"kind": "ResourceQuota"}
    assert standing([namespace(GOING, is_going=True), namespace(KEPT), quota]) == {KEPT}


class BadCell(CellActivities):
    """A cell in which every unit fails, on a cluster where the namespace of one is being deleted."""

    def __init__(self) -> None:
        super().__init__(cast(Runtime, None))
        self.restored: set[str] = set()

    async def _applied(self, cell: Any) -> dict[str, str]:
        return dict.fromkeys(cell.asked, "timed out")

    async def _live(self, cell: Any, wanted: set[str]) -> list[dict[str, object]]:
        return [namespace(unit, is_going=unit == GOING) for unit in wanted]

    async def _restored(self, cell: Any, failed: set[str], before: Mapping[str, Any] | None) -> dict[str, str]:
        self.restored = set(failed)
        return {}


@pytest.mark.parametrize("is_changed_too", [False, True])
async def test_a_tenant_whose_namespace_is_going_is_not_created_anew(is_changed_too: bool) -> None:
    """An operator must look at it; another removal that failed, and a change, are restored."""
    others = [CHANGED, KEPT] if is_changed_too else []
    request = cast(CellRequest, SimpleNamespace(is_undo=False))
    goals = {CHANGED: object()}
    cell: Any = SimpleNamespace(
        request=request, asked={GOING, *others}, target=lambda unit, *, is_new: goals.get(unit) if is_new else object()
    )
    activities = BadCell()

    results = await activities._move(cell, {})

    assert activities.restored == set(others)
    ends: dict[str, UnitResult] = {result.unit: result for result in results}
    assert ends[GOING].outcome == "needs-operator"
    assert ends[GOING].why.startswith("timed out; not restored: its namespace is being deleted or is gone")
    assert {ends[unit].outcome for unit in others} <= {"restored"}
