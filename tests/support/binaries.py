"""Where the test servers are that PyPI packages bring along."""

from __future__ import annotations

import sys
from pathlib import Path


def beside_python(name: str) -> str:
    """The path of program ``name`` in the folder of the running interpreter."""
    return str(Path(sys.executable).parent / name)
