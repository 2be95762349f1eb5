"""What waits for its cell: one delivery per cell at a time, and so many cells side by side. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class CellTurn:
    """``units`` of one ``stack``, to be delivered together, or brought back together."""

    stack: str
    units: list[str]
    is_undo: bool


class CellQueue:
    """First come, first served. What comes for a cell that waits already joins it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, bool], list[str]] = {}

    def put(self, stack: str, unit: str, *, is_undo: bool) -> None:
        """Let ``unit`` wait for its ``stack``."""
        self._waiting.setdefault((stack, is_undo), []).append(unit)

    def withdrawn(self) -> list[str]:
        """The units that wait to be delivered, which now wait no longer; what is to be brought back stays."""
        waiting = [key for key in self._waiting if not key[1]]
        return [unit for key in waiting for unit in self._waiting.pop(key)]

    def next_turns(self, busy: Collection[str], at_once: int) -> Iterable[CellTurn]:
        """Those that may begin beside the ``busy`` stacks; they wait no longer."""
        found: dict[str, CellTurn] = {}
        for stack, is_undo in list(self._waiting):
            if len(busy) + len(found) >= at_once:
                break
            if stack not in busy and stack not in found:
                found[stack] = CellTurn(stack, self._waiting.pop((stack, is_undo)), is_undo)
        return found.values()
