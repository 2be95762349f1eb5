"""Parts of a page that programs write: ``<!-- name -->`` to ``<!-- /name -->``."""

from __future__ import annotations

import re


def filled(page: str, name: str, content: str) -> str:
    """``page`` with ``content`` in its block ``name``. Raises ValueError when there is not exactly one such block."""
    block = re.compile(rf"<!-- {re.escape(name)} -->\n.*?<!-- /{re.escape(name)} -->", re.DOTALL)
    text, count = block.subn(lambda _: f"<!-- {name} -->\n{content}\n<!-- /{name} -->", page)
    if count != 1:
        raise ValueError(f"{count} blocks <!-- {name} --> instead of one")
    return text


def table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)
