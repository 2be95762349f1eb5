"""What git hostings render by themselves and the site does not: folded parts with Markdown in them, and flowcharts."""

from __future__ import annotations

import re

from scripts.docs.flowchart import NotUnderstood, read
from scripts.docs.flowchart_drawing import draw

_PARTS = re.compile(
    r"(?P<fence>^(?P<marks>`{3,}|~{3,})(?P<language>[^\n]*)\n(?P<body>.*?)^(?P=marks)[ \t]*$)"
    r"|^<details(?P<open> open)?>",
    re.MULTILINE | re.DOTALL,
)


def rendered(text: str) -> str:
    """``text`` with flowcharts drawn (those that are not understood stay as text) and folded parts read as Markdown."""
    count = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal count
        if not match["fence"]:
            return f'<details markdown="1"{match["open"] or ""}>'
        if match["language"].strip() != "mermaid":
            return match[0]
        try:
            chart = read(match["body"])
        except NotUnderstood:
            return match[0]
        count += 1
        return f'<figure class="flowchart">{draw(chart, f"chart{count}")}</figure>'

    return _PARTS.sub(replaced, text)
