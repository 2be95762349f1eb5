"""The drawing as SVG: a band for each package, its folders in rows, and arrows for what imports what."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from scripts.architecture.imports import ABOVE, BELOW, PACKAGES, Imports, Part
from scripts.architecture.layers import Arrow, arrows_between, folders_of, rows_of

WIDTH, BAND_LEFT, BAND_WIDTH, SIDE_LEFT, SIDE_WIDTH = 1180, 230, 780, 20, 140
BOX_WIDTH, BOX_HEIGHT, ROW_GAP, BAND_GAP, PADDING, LINE_HEIGHT = 132, 34, 46, 40, 16, 15
FAR = (8, 22)  # from a box to the numbers at its arrows, in turns, so that neighbours do not touch
WIDEST_ROW, CHARACTERS = 5, 118
RAIL_GAP, STEP = 38, 5
SIDE, BANDS = PACKAGES[-1], PACKAGES[:-1]
COLOURS = {
    "pipelines": "#e3eefb",
    "workflows": "#e5f4e8",
    "infra": "#fdf0dc",
    "policies": "#f3e8f7",
    "scripts": "#eeeeee",
}
LEGEND = (
    f"A number: about how often a module imports one of the other part; below {STEP} no arrow.",
    "Modules that lie in no folder stand over the folders if they import one, else under them, without arrows.",
    "Dashed: against the order.",
)
STYLE = """text{font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px;fill:#1c2733}
.head{font-size:15px;font-weight:600}.small{font-size:11px;fill:#4a5763}.count{font-size:11px;fill:#33475b}.back{fill:#b4632b}
.arrow{fill:none;stroke:#5a7088}.up{stroke-dasharray:5 4;stroke:#b4632b}
.box{fill:#fff;stroke:#7b8b9a}.band{stroke:#c3ccd5}"""


@dataclass
class _Box:
    """A rectangle; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


class _Port(NamedTuple):
    """One end of an arrow: at ``x`` of a box, where it is the ``number``-th, from 1 on."""

    box: _Box
    x: float
    number: int


_Point = tuple[float, float]


@dataclass
class _Canvas:
    """What is drawn: frames below arrows below boxes below numbers."""

    frames: list[str] = field(default_factory=list)
    arrows: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        self.boxes.append(f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def arrow(self, path: str, count: int, *, is_upward: bool = False) -> None:
        width = 0.8 + math.log2(count) / 3
        kind, head = ("arrow up", "head-up") if is_upward else ("arrow", "head")
        self.arrows.append(f'<path d="{path}" class="{kind}" stroke-width="{width:.1f}" marker-end="url(#{head})"/>')

    def count(self, x: float, y: float, count: int, *, is_upward: bool = False) -> None:
        """A number that stays readable over lines."""
        kind = "count back" if is_upward else "count"
        self.counts.append(
            f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="middle" paint-order="stroke" stroke="#fff"'
            f' stroke-width="3">{_rounded(count)}</text>'
        )


def drawing(imports: Imports) -> str:
    """The whole picture."""
    canvas, top = _Canvas(), 20.0
    bands: dict[str, _Box] = {}
    for package in BANDS:
        bands[package] = _band(canvas, imports, package, top)
        top = bands[package].bottom + BAND_GAP
    bands[SIDE] = _side(canvas, imports, bands)
    _between_bands(canvas, imports, bands)
    for line in LEGEND:
        canvas.text(BAND_LEFT, top - 12, line, "small")
        top += LINE_HEIGHT
    return _svg(canvas, top)


def _band(canvas: _Canvas, imports: Imports, package: str, top: float) -> _Box:
    y = top + 28
    y = _modules(canvas, imports.modules.get(Part(package, ABOVE), []), y)
    folders = folders_of(imports.parts_of(package))
    arrows = arrows_between(folders, imports.between)
    places: dict[Part, _Box] = {}
    rows = rows_of(folders, arrows, WIDEST_ROW)
    for row in rows:
        space = (BAND_WIDTH - len(row) * BOX_WIDTH) / (len(row) + 1)
        for number, part in enumerate(row):
            x = BAND_LEFT + space + number * (BOX_WIDTH + space)
            places[part] = _folder(canvas, part, x, y)
        y += BOX_HEIGHT + (ROW_GAP if row is not rows[-1] else PADDING)
    starts, ends = _ports(arrows, places), _ports(arrows, places, at_target=True)
    for arrow in arrows:
        _within_band(canvas, arrow, starts[arrow], ends[arrow])
    y = _modules(canvas, imports.modules.get(Part(package, BELOW), []), y)
    return _frame(canvas, package, _Box(BAND_LEFT, top, BAND_WIDTH, y - top))


def _side(canvas: _Canvas, imports: Imports, bands: dict[str, _Box]) -> _Box:
    """The package that stands beside the others."""
    top = bands[BANDS[0]].y
    box = _Box(SIDE_LEFT, top, SIDE_WIDTH, bands[BANDS[-1]].bottom - top)
    folders = folders_of(imports.parts_of(SIDE))
    for number, part in enumerate(folders):
        _folder(canvas, part, SIDE_LEFT + (SIDE_WIDTH - BOX_WIDTH + 12) / 2, top + 34 + number * (BOX_HEIGHT + 12), 12)
    return _frame(canvas, SIDE, box)


def _frame(canvas: _Canvas, package: str, box: _Box) -> _Box:
    canvas.frames.append(
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" class="band"'
        f' fill="{COLOURS[package]}"/>'
    )
    canvas.text(box.x + 12, box.y + 20, f"{package}/", "head")
    return box


def _folder(canvas: _Canvas, part: Part, x: float, y: float, narrower: float = 0) -> _Box:
    box = _Box(x, y, BOX_WIDTH - narrower, BOX_HEIGHT)
    canvas.boxes.append(f'<rect x="{x:g}" y="{y:g}" width="{box.width:g}" height="{BOX_HEIGHT}" rx="5" class="box"/>')
    canvas.text(box.middle, y + 21, part.name, anchor="middle")
    return box


def _modules(canvas: _Canvas, names: Sequence[str], y: float) -> float:
    """The names of modules that lie in no folder, wrapped; where what follows begins."""
    for line in textwrap.wrap(", ".join(names), CHARACTERS):
        canvas.text(BAND_LEFT + PADDING, y + LINE_HEIGHT, line, "small")
        y += LINE_HEIGHT
    return y + (PADDING if names else 0)


def _ports(arrows: Sequence[Arrow], places: dict[Part, _Box], *, at_target: bool = False) -> dict[Arrow, _Port]:
    """Where each arrow leaves its source, or reaches its target: side by side, in the order of the other ends."""
    found: dict[Arrow, _Port] = {}
    for part, box in places.items():
        mine = [arrow for arrow in arrows if part == (arrow.target if at_target else arrow.source)]
        mine.sort(key=lambda arrow: places[arrow.source if at_target else arrow.target].middle)
        for number, arrow in enumerate(mine, start=1):
            found[arrow] = _Port(box, box.x + box.width * number / (len(mine) + 1), number)
    return found


def _within_band(canvas: _Canvas, arrow: Arrow, start: _Port, end: _Port) -> None:
    source, target = start.box, end.box
    if target.y > source.y:
        y1, y2 = source.bottom, target.y - 3
    elif target.y < source.y:
        y1, y2 = source.y, target.bottom + 3
    else:
        y1, y2 = source.y, target.y - 3
    bend = (y2 - y1) * 0.45
    canvas.arrow(
        f"M{start.x:.0f} {y1:.0f}C{start.x:.0f} {y1 + bend:.0f} {end.x:.0f} {y2 - bend:.0f} {end.x:.0f} {y2:.0f}",
        arrow.count,
        is_upward=arrow.is_upward,
    )
    far = FAR[start.number % len(FAR)]
    canvas.count(*_point_near_source((start.x, y1), (end.x, y2), bend, far), arrow.count, is_upward=arrow.is_upward)


def _point_near_source(start: _Point, end: _Point, bend: float, far: float) -> _Point:
    """Where the curve is so ``far`` below its start, or above it: arrows to one place are apart there."""
    (x1, y1), (x2, y2) = start, end
    for step in range(1, 100):
        t = step / 100
        y = y1 + 3 * (1 - t) ** 2 * t * bend + 3 * (1 - t) * t**2 * (y2 - y1 - bend) + t**3 * (y2 - y1)
        if abs(y - y1) >= far:
            break
    return x1 + (x2 - x1) * (3 * t**2 - 2 * t**3), y + 4


def _between_bands(canvas: _Canvas, imports: Imports, bands: dict[str, _Box]) -> None:
    pairs = {pair: count for pair, count in sorted(imports.between_packages().items()) if count >= STEP}
    down = [pair for pair in pairs if SIDE not in pair]
    # Short ways inside, long ones outside; those between neighbours have one column, since they never meet.
    down.sort(key=lambda pair: (_steps(pair), BANDS.index(pair[0])))
    columns = {pair: max(0, number - sum(_steps(one) == 1 for one in down) + 1) for number, pair in enumerate(down)}
    for number, pair in enumerate(down):
        _rail(canvas, (bands[pair[0]], bands[pair[1]]), columns[pair], number * 7, pairs[pair])
    for (source, target), count in pairs.items():
        if SIDE in (source, target):
            _beside(canvas, bands, source, target, count)


def _steps(pair: tuple[str, str]) -> int:
    return BANDS.index(pair[1]) - BANDS.index(pair[0])


def _rail(canvas: _Canvas, ends: tuple[_Box, _Box], column: int, apart: int, count: int) -> None:
    """Down along the right side."""
    (source, target), right = ends, BAND_LEFT + BAND_WIDTH
    x, y1, y2 = right + 16 + column * RAIL_GAP, source.bottom - 14 - apart, target.y + 14 + apart
    canvas.arrow(f"M{right} {y1:.0f}H{x:.0f}V{y2:.0f}H{right + 4}", count)
    canvas.count(x, source.bottom + BAND_GAP / 2 + 4, count)


def _beside(canvas: _Canvas, bands: dict[str, _Box], source: str, target: str, count: int) -> None:
    is_back = target == SIDE
    band, right = bands[source if is_back else target], SIDE_LEFT + SIDE_WIDTH
    y = band.y + band.height / 2 + (18 if is_back else -6)
    start, end = (BAND_LEFT, right + 4) if is_back else (right, BAND_LEFT - 4)
    canvas.arrow(f"M{start} {y:.0f}H{end}", count, is_upward=is_back)
    canvas.count((start + end) / 2, y - 5, count, is_upward=is_back)


def _rounded(count: int) -> int:
    """In steps that grow with it, so that not every import makes another drawing."""
    step = STEP if count < 10 * STEP else 5 * STEP
    return round(count / step) * step


def _svg(canvas: _Canvas, height: float) -> str:
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        f' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, colour in (("head", "#5a7088"), ("head-up", "#b4632b"))
    )
    drawn = "\n".join((*canvas.frames, *canvas.arrows, *canvas.boxes, *canvas.counts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img"'
        ' aria-label="The packages of ADX and what imports what">\n'
        f"<style>{STYLE}</style>\n<defs>{heads}</defs>\n"
        f'<rect width="{WIDTH}" height="{height:g}" fill="#fff"/>\n{drawn}\n</svg>\n'
    )
