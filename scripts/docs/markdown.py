"""Text put into Markdown: cells of tables, and prose that must not be read as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(``.*?``|`[^`]*`)")
_SPECIAL = re.compile(r"([*<>\[\]])")


def prose(text: str) -> str:
    """``text`` with what Markdown would take for emphasis, links or HTML escaped; what stands in backticks is kept.

    Docstrings write code in two backticks where Markdown needs one.
    """
    parts = _CODE.split(text)
    return "".join(
        f"`{part.strip('`')}`" if index % 2 else _SPECIAL.sub(r"\\\1", part) for index, part in enumerate(parts)
    )


def cell(text: str) -> str:
    """``text`` as the content of one cell."""
    return " ".join(text.replace("|", "\\|").split())


def code(text: str) -> str:
    """``text`` as code in a cell; empty stays empty."""
    return f"`{cell(text)}`" if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, and an empty one; none where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines, ""] if lines else []
