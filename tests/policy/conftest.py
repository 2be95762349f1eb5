"""The real checkov, installed into the user's cache when it is not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.toolchain import resolve_python


@pytest.fixture(scope="session")
def checkov_python() -> Path:
    """The Python of checkov's own environment."""
    return resolve_python("checkov").python
