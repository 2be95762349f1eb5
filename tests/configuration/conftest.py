"""A Redis for each process that runs tests: readers empty it, end its subscriptions, and all use the same names."""

from __future__ import annotations

import os

import pytest

from scripts.stack import Stack
from tests.support import local_stack


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """A real Redis that no test of another process sees; a database of its own would still share the channels."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    stack = Stack(pytestconfig.stash[local_stack._FOLDER] / f"redis-{worker}")
    stack.up(["redis"])
    return stack.environment()["ADX_REDIS_URL"]
