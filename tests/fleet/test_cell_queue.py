"""Which cell begins next, and what a paused rollout takes back."""

from __future__ import annotations

from workflows.fleet.cell_queue import CellQueue, CellTurn


def test_free_cells_begin_in_turn_and_each_with_all_that_waits_for_it() -> None:
    """Given two places of which one is taken, the first cell that is not busy begins, with what joined it."""
    queue = CellQueue()
    for stack, unit in (("cell-1", "tenant/a"), ("cell-2", "tenant/b"), ("cell-3", "tenant/c"), ("cell-2", "tenant/d")):
        queue.put(stack, unit, is_undo=False)

    assert list(queue.next_turns({"cell-1"}, at_once=2)) == [CellTurn("cell-2", ["tenant/b", "tenant/d"], False)]
    assert list(queue.next_turns({"cell-1", "cell-2"}, at_once=2)) == []
    assert [turn.stack for turn in queue.next_turns((), at_once=2)] == ["cell-1", "cell-3"]


def test_one_cell_never_does_two_things_at_once() -> None:
    """Given a delivery and an undo for one cell, the second waits until it is free."""
    queue = CellQueue()
    queue.put("cell-1", "tenant/a", is_undo=False)
    queue.put("cell-1", "tenant/b", is_undo=True)

    assert list(queue.next_turns((), at_once=9)) == [CellTurn("cell-1", ["tenant/a"], False)]
    assert list(queue.next_turns({"cell-1"}, at_once=9)) == []
    assert list(queue.next_turns((), at_once=9)) == [CellTurn("cell-1", ["tenant/b"], True)]


def test_what_is_to_be_brought_back_is_never_withdrawn() -> None:
    """Given a pause, only deliveries that have not begun wait no longer."""
    queue = CellQueue()
    queue.put("cell-1", "tenant/a", is_undo=True)
    queue.put("cell-2", "tenant/b", is_undo=False)

    assert queue.withdrawn() == ["tenant/b"]
    assert queue.withdrawn() == []
    assert [turn.units for turn in queue.next_turns((), at_once=9)] == [["tenant/a"]]
