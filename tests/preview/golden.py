"""Golden texts. ``ADX_UPDATE_GOLDEN=1 pytest …`` writes them anew; read the difference before committing it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str, folder: Path = FOLDER) -> None:
    """``text`` is what the file ``name`` of ``folder`` holds."""
    path = folder / name
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"run with ADX_UPDATE_GOLDEN=1 to accept ({path.name})"
