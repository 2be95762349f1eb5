"""A Redis for each process that runs tests: readers empty it, end its subscriptions, and all use the same names."""

from __future__ import annotations

import os

import pytest

from tests.support.local_stack import optional_part


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """A real Redis that no test of another process sees; a database of its own would still share the channels."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return optional_part(pytestconfig, "redis", home=f"redis-{worker}")["ADX_REDIS_URL"]
