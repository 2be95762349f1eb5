"""``python -m scripts.gallery``: writes docs/gallery from what was recorded.

``--record`` asks the real parts first, about all pull requests or those that are named behind it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.errors import ScriptError
from scripts.example.adx import console
from scripts.example.repository import ROOT
from scripts.gallery.page import FOLDER, pages
from scripts.gallery.recording import record
from scripts.gallery.scenes import SCENES
from scripts.gallery.telling import tell


def main(arguments: list[str]) -> int:
    """1 with a message when something could not be made."""
    try:
        with tempfile.TemporaryDirectory(prefix="adx-gallery-") as folder:
            if arguments[:1] == ["--record"]:
                record(Path(folder) / "recording", [one for one in SCENES if one.name in arguments[1:]] or SCENES)
            told = {scene.name: tell(scene, Path(folder) / scene.name) for scene in SCENES}
    except ScriptError as error:
        console.print(f"{error}; {error.next_step}", markup=False, style="red")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages(told, SCENES).items():
        (FOLDER / name).write_text(text, "utf-8")
    console.print(f"written: {FOLDER.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
