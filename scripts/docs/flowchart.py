"""Flowcharts as the pages write them, read into nodes, groups and edges.

Only the part of Mermaid's notation that the pages use is understood; git
hostings draw all of it by themselves. The site cannot: the theme would load a
library from another host.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

ROOT = ""  # the id of the group that holds everything

_NODE = re.compile(
    r'(?P<id>\w+)(?:\["(?P<quoted>[^"]*)"\]|\[\((?P<store>[^)]*)\)\]|\[(?P<box>[^\]]*)\]|\{(?P<choice>[^}]*)\})?'
    r"(?::::(?P<kind>\w+))?"
)
_ARROW = re.compile(r'\s*(?:(?P<arrow>-->|-\.->|==>)(?:\|(?P<label>[^|]*)\|)?|--\s+"?(?P<text>[^">]+?)"?\s+-->)\s*')
_GROUP = re.compile(r'subgraph\s+(?P<id>\w+)(?:\["?(?P<title>[^"\]]*)"?\])?')
_STYLES = {"-->": "solid", "-.->": "dotted", "==>": "thick"}
_ENTITY = re.compile(r"#(\d+);")


class NotUnderstood(ValueError):
    """The text uses more of the notation than is read here."""


@dataclass
class Node:
    """A box with lines of text; ``shape`` is box, store or choice, ``kind`` the class that it was given."""

    id: str
    lines: tuple[str, ...]
    shape: str = "box"
    kind: str = ""


@dataclass(frozen=True)
class Edge:
    """An arrow between two nodes or groups; ``style`` is solid, dotted or thick."""

    source: str
    target: str
    label: str
    style: str


@dataclass
class Group:
    """What is drawn with a frame around it: ids of nodes and groups, in their order."""

    id: str
    title: str
    depth: int
    children: list[str] = field(default_factory=list)


@dataclass
class Flowchart:
    """The whole; ``groups[ROOT]`` holds what is in no other group."""

    nodes: dict[str, Node] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=lambda: {ROOT: Group(ROOT, "", 0)})
    edges: list[Edge] = field(default_factory=list)


def read(text: str) -> Flowchart:
    """The flowchart that ``text`` describes; NotUnderstood where it is something else."""
    first, *lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if first != "flowchart LR":
        raise NotUnderstood(first)
    chart, open_groups = Flowchart(), [ROOT]
    for line in lines:
        if line == "end":
            open_groups.pop()
        elif match := _GROUP.fullmatch(line):
            group = Group(match["id"], _plain(match["title"] or match["id"]), len(open_groups))
            chart.groups[group.id] = group
            chart.groups[open_groups[-1]].children.append(group.id)
            open_groups.append(group.id)
        elif not line.startswith(("direction ", "classDef ")):
            _chain(chart, open_groups[-1], line)
    return chart


def _chain(chart: Flowchart, group: str, line: str) -> None:
    """Nodes with arrows between them: ``a --> b -->|label| c``."""
    parts = list(_parts(line))
    for match in parts[::2]:
        _note(chart, group, match)
    for index in range(1, len(parts), 2):
        arrow, label = parts[index], parts[index]["label"] or parts[index]["text"] or ""
        style = _STYLES[arrow["arrow"] or "-->"]
        chart.edges.append(Edge(parts[index - 1]["id"], parts[index + 1]["id"], _plain(label), style))


def _parts(line: str) -> Iterator[re.Match[str]]:
    position, is_node = 0, True
    while position < len(line) or is_node:
        match = (_NODE if is_node else _ARROW).match(line, position)
        if match is None:
            raise NotUnderstood(line)
        yield match
        position, is_node = match.end(), not is_node


def _note(chart: Flowchart, group: str, match: re.Match[str]) -> None:
    """Add a node, to the innermost group that names it; what is said of it later counts too."""
    name = match["id"]
    if name in chart.groups:
        return
    node = chart.nodes.setdefault(name, Node(name, (name,)))
    holder = next((one for one in chart.groups.values() if name in one.children), None)
    if holder is None or holder.depth < chart.groups[group].depth:
        chart.groups[group].children.append(name)
        if holder is not None:
            holder.children.remove(name)
    for shape in ("quoted", "store", "box", "choice"):
        if match[shape] is not None:
            node.lines = tuple(_plain(line) for line in match[shape].split("<br/>"))
            node.shape = "box" if shape == "quoted" else shape
    node.kind = match["kind"] or node.kind


def _plain(text: str) -> str:
    return html.unescape(_ENTITY.sub(lambda match: chr(int(match[1])), text)).strip()
