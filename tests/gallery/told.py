"""The ten pull requests of the gallery, each told once in this process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from scripts.gallery.scenes import SCENES
from scripts.gallery.telling import Told, tell

BY_NAME = {scene.name: scene for scene in SCENES}


@cache
def told(name: str) -> Told:
    """What is shown of the pull request; its repository is gone again."""
    with tempfile.TemporaryDirectory() as folder:
        return tell(BY_NAME[name], Path(folder))
