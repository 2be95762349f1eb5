"""Writes docs/architecture.svg anew: ``python -m scripts.architecture``."""

from __future__ import annotations

from pathlib import Path

from scripts.architecture.drawing import drawing
from scripts.architecture.imports import count_imports

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "architecture.svg"


def render() -> str:
    """The drawing as the source is now."""
    return drawing(count_imports(ROOT))


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
