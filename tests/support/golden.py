"""Golden files: what a function renders, kept beside its test.

``ADX_UPDATE_GOLDEN=1 pytest …`` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml


def assert_matches_golden(documents: list[dict[str, Any]], path: Path) -> None:
    """``documents`` equal those in the YAML file ``path``."""
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    assert documents == list(yaml.safe_load_all(path.read_text())), f"run with ADX_UPDATE_GOLDEN=1 to accept ({path})"
