"""Draws how the cost of a fleet grows with its tenants: ``docs/benchmarks/fleet.svg`` from ``results.json``.

Both axes are logarithmic, so that a straight line of slope one is a cost that
grows as the fleet does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.bench.rows import Row

Series = Mapping[str, Sequence[tuple[float, float]]]
SIZES = (100, 500, 1000)
LABELS = {"first": "first delivery", "all": "change of all", "one": "change of one", "nothing": "nothing to change"}
COLOURS = ("#1f5fa8", "#b3541e", "#2c7a3f", "#6b6b6b", "#a8a8a8")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 64, 180, 24, 48
TENANTS_RANGE, SECONDS_RANGE = (80.0, 1250.0), (0.5, 1000.0)


def series_of(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Points (tenants, seconds) of each line, kubectl's change of all among them."""
    by_name = {row["name"]: row for row in rows}
    found: dict[str, list[tuple[float, float]]] = {}
    for size in SIZES:
        for what, label in LABELS.items():
            row = by_name.get(f"fleet.{size}.{what}")
            if row is None:
                continue
            found.setdefault(label, []).append((size, row["value"]))
            if what == "all" and row["baseline"] is not None:
                found.setdefault("kubectl, change of all", []).append((size, row["baseline"]["value"]))
    return found


def draw(series: Series) -> str:
    """The drawing as SVG; readable on a light and on a dark page."""
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="13">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_grid(),
        *(part for number, (label, points) in enumerate(series.items()) for part in _line(number, label, points)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def write(rows: Sequence[Row], file: Path) -> bool:
    """Draw what ``rows`` hold of the fleet; False when that is too little for a line."""
    series = {label: points for label, points in series_of(rows).items() if len(points) > 1}
    if series:
        file.write_text(draw(series), encoding="utf-8")
    return bool(series)


def _grid() -> Iterator[str]:
    for tenants in (100, 200, 500, 1000):
        x = _x(tenants)
        yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}" stroke="#dddddd"/>'
        yield f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#333333">{tenants}</text>'
    for seconds in (1, 10, 100, 1000):
        y = _y(seconds)
        yield f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#333333">{seconds} s</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle" fill="#333333">tenants</text>'


def _line(number: int, label: str, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{_x(tenants)},{_y(seconds)}" for tenants, seconds in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for tenants, seconds in points:
        yield f'<circle cx="{_x(tenants)}" cy="{_y(seconds)}" r="3" fill="{colour}"/>'
    last = points[-1]
    yield f'<text x="{_x(last[0]) + 10}" y="{_y(last[1]) + 4}" fill="{colour}">{label}</text>'


def _x(tenants: float) -> float:
    return round(LEFT + _share(tenants, TENANTS_RANGE) * (WIDTH - LEFT - RIGHT), 1)


def _y(seconds: float) -> float:
    return round(HEIGHT - BOTTOM - _share(seconds, SECONDS_RANGE) * (HEIGHT - TOP - BOTTOM), 1)


def _share(value: float, span: tuple[float, float]) -> float:
    low, high = (math.log10(edge) for edge in span)
    return (math.log10(min(max(value, span[0]), span[1])) - low) / (high - low)
