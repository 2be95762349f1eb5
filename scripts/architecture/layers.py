"""In which order parts stand, so that arrows go down. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.architecture.imports import ABOVE, BELOW, Part

LEAST = 5  # what is rarer is not drawn
SWEEPS = 4


@dataclass(frozen=True)
class Arrow:
    """``source`` imports ``target``. ``is_upward``: the target imports the source more often."""

    source: Part
    target: Part
    count: int
    is_upward: bool = False


def arrows_between(folders: Sequence[Part], between: Counter[tuple[Part, Part]]) -> list[Arrow]:
    """The arrows among ``folders`` that are drawn: what few modules import is left out."""
    chosen = set(folders)
    return [
        Arrow(source, target, count, is_upward=(between[target, source], target) > (count, source))
        for (source, target), count in sorted(between.items())
        if count >= LEAST and {source, target} <= chosen
    ]


def folders_of(parts: Sequence[Part]) -> list[Part]:
    """``parts`` without the modules that lie in no folder."""
    return [part for part in parts if part.name not in (ABOVE, BELOW)]


def rows_of(folders: Sequence[Part], arrows: Sequence[Arrow], widest: int) -> list[list[Part]]:
    """``folders`` in rows of at most ``widest``, each above all that it has an arrow down to."""
    depth = _depths(folders, [arrow for arrow in arrows if not arrow.is_upward])
    rows: list[list[Part]] = [[] for _ in range(max(depth.values()) + 1)]
    for folder in folders:
        rows[depth[folder]].append(folder)
    for _ in range(SWEEPS):
        rows = _ordered(_ordered(rows, arrows)[::-1], arrows)[::-1]
    return [row[start : start + widest] for row in rows for start in range(0, len(row), widest)]


def _depths(folders: Sequence[Part], down: Sequence[Arrow]) -> dict[Part, int]:
    """Row by folder: one more than the lowest row of those that import it. A cycle of three ends at the last row."""
    depth = dict.fromkeys(folders, 0)
    for _ in folders:
        for arrow in down:
            depth[arrow.target] = min(max(depth[arrow.target], depth[arrow.source] + 1), len(folders) - 1)
    lowest = {row: number for number, row in enumerate(sorted(set(depth.values())))}
    return {folder: lowest[row] for folder, row in depth.items()}


def _ordered(rows: list[list[Part]], arrows: Sequence[Arrow]) -> list[list[Part]]:
    """Each row by where its neighbours stand in the rows before it, so that few arrows cross."""
    place: dict[Part, float] = {}
    ordered = []
    for row in rows:
        known = dict(place)
        ordered.append(sorted(row, key=lambda part: (_middle(part, arrows, known), part)))
        place |= {part: (number + 0.5) / len(row) for number, part in enumerate(ordered[-1])}
    return ordered


def _middle(part: Part, arrows: Sequence[Arrow], place: Mapping[Part, float]) -> float:
    ends = {arrow.source: arrow.target for arrow in arrows if arrow.target == part}
    others = [*ends, *(arrow.target for arrow in arrows if arrow.source == part)]
    found = [place[other] for other in others if other in place]
    return sum(found) / len(found) if found else 0.5
