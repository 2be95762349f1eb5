"""Flowcharts of the pages as the site draws them: complete, nothing on top of one another, none left as text."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from scripts.docs.flowchart import ROOT, Edge, NotUnderstood, read
from scripts.docs.flowchart_drawing import draw
from scripts.docs.hosting_markdown import rendered

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
CHARTS = {
    f"{file.relative_to(DOCS)}-{number}": text
    for file in sorted(DOCS.rglob("*.md"))
    for number, text in enumerate(FENCE.findall(file.read_text()))
    if text.startswith("flowchart LR")
}
NUMBERS = re.compile(r' (x|y|width|height)="(-?\d+)"')


def test_nodes_edges_and_groups_are_read() -> None:
    chart = read(
        """flowchart LR
          one[first<br/>line] -->|to| two["second #40;quoted#41;"]:::changed -.-> three[(store)]
          subgraph outer
            subgraph inner["Inner one"]
              two ==> four{choice}
            end
          end
          inner -- "back" --> one
        """
    )

    assert {node.id: (node.lines, node.shape, node.kind) for node in chart.nodes.values()} == {
        "one": (("first", "line"), "box", ""),
        "two": (("second (quoted)",), "box", "changed"),
        "three": (("store",), "store", ""),
        "four": (("choice",), "choice", ""),
    }
    assert chart.edges == [
        Edge("one", "two", "to", "solid"),
        Edge("two", "three", "", "dotted"),
        Edge("two", "four", "", "thick"),
        Edge("inner", "one", "back", "solid"),
    ]
    assert {group.id: (group.title, group.children) for group in chart.groups.values()} == {
        ROOT: ("", ["one", "three", "outer"]),
        "outer": ("outer", ["inner"]),
        "inner": ("Inner one", ["two", "four"]),
    }


@pytest.mark.parametrize(
    "text", ["sequenceDiagram", "flowchart TD\na --> b", "flowchart LR\na -->", "flowchart LR\na ~~~ b"]
)
def test_what_is_not_understood_stays_as_it_is_written(text: str) -> None:
    fence = f"```mermaid\n{text}\n```"

    with pytest.raises(NotUnderstood):
        read(text)
    assert rendered(fence) == fence


@pytest.mark.parametrize("text", CHARTS.values(), ids=CHARTS.keys())
def test_a_page_s_flowchart_is_drawn_without_overlaps(text: str) -> None:
    chart = read(text)
    drawn = draw(chart, "chart")

    boxes = [_corners(element) for element in re.findall(r'<rect class="node [^>]*>', drawn)]
    assert len(boxes) + drawn.count("<polygon") == len(chart.nodes)
    assert drawn.count('class="edge ') == len(chart.edges)
    assert [pair for pair in combinations(boxes, 2) if _overlap(*pair)] == []
    width, height = (int(number) for number in re.findall(r'^<svg .*?width="(\d+)" height="(\d+)"', drawn)[0])
    assert all(x >= 0 and u <= width and y >= 0 and v <= height for x, y, u, v in boxes)


def test_folded_parts_are_read_as_markdown_and_code_is_not_touched() -> None:
    assert rendered("<details open>\n\n- one\n") == '<details markdown="1" open>\n\n- one\n'
    assert rendered("```html\n<details>\n```") == "```html\n<details>\n```"


def _corners(element: str) -> tuple[int, int, int, int]:
    found = {name: int(number) for name, number in NUMBERS.findall(element)}
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
