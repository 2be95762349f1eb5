"""A flowchart as SVG, in the colours of the page that it stands in: layers from top to bottom, as pages are narrow.

What reads from left to right in the text is drawn from top to bottom. Each
group is laid out by itself, with the groups in it as boxes. The layer of a box
is the length of the longest way to it (Sugiyama's first step); within a layer
boxes are ordered by the mean place of what leads to them (barycenter).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import mean

from scripts.docs.flowchart import ROOT, Edge, Flowchart, Node

# Lengths in pixels.
LETTER, LINE = 6.9, 16
PADDING, LAYER_GAP, LABEL_GAP, GAP, TITLE = 12, 24, 18, 16, 22
DETOUR = 26


@dataclass
class Box:
    """Where something is, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right border."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower border."""
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return self.x + self.width / 2, self.y + self.height / 2


def draw(chart: Flowchart, name: str) -> str:
    """The SVG element, in one line; ``name`` makes ids unique within the page."""
    boxes = _placed(chart, ROOT)
    parts = [_group(chart, group, boxes[group]) for group in chart.groups if group != ROOT]
    width, detours = boxes[ROOT].width, 0
    for edge in chart.edges:
        source, target = boxes[edge.source], boxes[edge.target]
        if source.bottom < target.y and not _is_crossed(chart, boxes, edge):
            parts.append(_straight(edge, source, target, name))
            continue
        detours += 1
        x = boxes[ROOT].width + DETOUR * (detours - 1)
        width = max(width, x + 12 + len(edge.label) * LETTER)
        parts.append(_detour(edge, boxes, x, name))
    parts += [_node(node, boxes[node.id]) for node in chart.nodes.values()]
    look = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    tip = f'<defs><marker id="{name}-tip" {look}><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    height = boxes[ROOT].height
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{tip}{"".join(parts)}</svg>'


def _placed(chart: Flowchart, group: str) -> dict[str, Box]:
    """Boxes of the group (at 0, 0) and of everything in it."""
    inner: dict[str, dict[str, Box]] = {}
    sizes: dict[str, Box] = {}
    for child in chart.groups[group].children:
        if child in chart.groups:
            inner[child] = _placed(chart, child)
        sizes[child] = inner[child][child] if child in inner else _size(chart.nodes[child])
    edges = list(_lifted(chart, group))
    layers = _ordered(_layers(list(sizes), edges), edges)
    titled = len(chart.groups[group].title) * LETTER
    rooms = {child: max(box.width, _label(chart, child) * LETTER) for child, box in sizes.items()}
    width = max([titled, *(_width(layer, rooms) for layer in layers)])
    y: float = PADDING + (TITLE if group != ROOT else 0)
    placed: dict[str, Box] = {}
    for number, layer in enumerate(layers):
        height = max(sizes[child].height for child in layer)
        y += LABEL_GAP if number and any(_label(chart, child) for child in layer) else 0
        x = PADDING + (width - _width(layer, rooms)) / 2
        for child in layer:
            down = y + (height - sizes[child].height) / 2
            for name, box in inner.get(child, {child: sizes[child]}).items():
                left = x + (rooms[child] - sizes[child].width) / 2
                placed[name] = Box(box.x + left, box.y + down, box.width, box.height)
            x += rooms[child] + GAP
        y += height + (LAYER_GAP if number < len(layers) - 1 else PADDING)
    return {group: Box(0, 0, width + 2 * PADDING, y), **placed}


def _lifted(chart: Flowchart, group: str) -> Iterator[tuple[str, str]]:
    """Edges between two children of the group, or what is in them."""
    holder = {member: child for child in chart.groups[group].children for member in _members(chart, child)}
    for edge in chart.edges:
        source, target = holder.get(edge.source), holder.get(edge.target)
        if source is not None and target is not None and source != target:
            yield source, target


def _members(chart: Flowchart, name: str) -> Iterator[str]:
    yield name
    for child in chart.groups[name].children if name in chart.groups else ():
        yield from _members(chart, child)


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Names by the longest way that leads to them; an edge that closes a circle does not count."""
    depth: dict[str, int] = {}

    def visit(name: str, above: tuple[str, ...]) -> int:
        if name not in depth:
            before = [source for source, target in edges if target == name and source not in above]
            depth[name] = max((visit(source, (*above, name)) + 1 for source in before if source != name), default=0)
        return depth[name]

    for name in names:
        visit(name, (name,))
    found = sorted(set(depth.values()))
    return [[name for name in names if depth[name] == number] for number in found]


def _ordered(layers: list[list[str]], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    place = {name: float(index) for layer in layers for index, name in enumerate(layer)}
    for layer in layers:
        for name in layer:
            before = [place[source] for source, target in edges if target == name]
            place[name] = mean(before) if before else place[name]
        layer.sort(key=place.__getitem__)
        place |= {name: float(index) for index, name in enumerate(layer)}
    return layers


def _label(chart: Flowchart, name: str) -> int:
    """Letters of the longest label of an edge that ends there."""
    return max((len(edge.label) for edge in chart.edges if edge.target == name), default=0)


def _width(layer: Sequence[str], rooms: dict[str, float]) -> float:
    return sum(rooms[child] for child in layer) + GAP * (len(layer) - 1)


def _size(node: Node) -> Box:
    width, height = max(map(len, node.lines)) * LETTER + 20, len(node.lines) * LINE + 14
    return Box(0, 0, width + 24, height + 8) if node.shape == "choice" else Box(0, 0, width, height)


def _is_crossed(chart: Flowchart, boxes: dict[str, Box], edge: Edge) -> bool:
    """Whether another node lies between the two ends, about on the line."""
    source, target = boxes[edge.source], boxes[edge.target]
    left, right = sorted((source.middle[0], target.middle[0]))
    own = {*_members(chart, edge.source), *_members(chart, edge.target)}
    others = (boxes[name] for name in chart.nodes if name not in own)
    return any(source.bottom < box.y and box.bottom < target.y and box.x < right and box.right > left for box in others)


def _straight(edge: Edge, source: Box, target: Box, name: str) -> str:
    (x, y), (u, v) = (source.middle[0], source.bottom), (target.middle[0], target.y)
    bend = (v - y) / 2
    path = f"M{x:.0f} {y:.0f} C{x:.0f} {y + bend:.0f} {u:.0f} {v - bend:.0f} {u:.0f} {v:.0f}"
    return _arrow(edge, path, (u, v - 14), name)


def _detour(edge: Edge, boxes: dict[str, Box], right: float, name: str) -> str:
    """To the right of everything, and back; each detour a little further than the one before."""
    source, target = boxes[edge.source], boxes[edge.target]
    y, v = source.middle[1], target.middle[1]
    path = f"M{source.right:.0f} {y:.0f} H{right:.0f} V{v:.0f} H{target.right:.0f}"
    return _arrow(edge, path, (right + 5, (y + v) / 2), name, "label beside")


def _arrow(edge: Edge, path: str, middle: tuple[float, float], name: str, look: str = "label") -> str:
    label = (
        f'<text class="{look}" x="{middle[0]:.0f}" y="{middle[1]:.0f}">{escape(edge.label)}</text>'
        if edge.label
        else ""
    )
    return f'<path class="edge {edge.style}" d="{path}" marker-end="url(#{name}-tip)"/>{label}'


def _group(chart: Flowchart, name: str, box: Box) -> str:
    title = (
        f'<text class="title" x="{box.x + PADDING:.0f}" y="{box.y + 18:.0f}">{escape(chart.groups[name].title)}</text>'
    )
    return f'<rect class="group" {_place(box)} rx="8"/>{title}'


def _node(node: Node, box: Box) -> str:
    x, y = box.middle
    first = y - (len(node.lines) - 1) * LINE / 2 + 4
    lines = "".join(
        f'<text x="{x:.0f}" y="{first + LINE * index:.0f}">{escape(line)}</text>'
        for index, line in enumerate(node.lines)
    )
    if node.shape == "choice":
        corners = f"{box.x:.0f},{y:.0f} {x:.0f},{box.y:.0f} {box.right:.0f},{y:.0f} {x:.0f},{box.bottom:.0f}"
        return f'<polygon class="node choice" points="{corners}"/>{lines}'
    return (
        f'<rect class="node {node.shape} {node.kind}" {_place(box)} rx="{14 if node.shape == "store" else 5}"/>{lines}'
    )


def _place(box: Box) -> str:
    return f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}"'
