"""Temporal servers of a test's own."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio.testing import WorkflowEnvironment

from tests.support.binaries import beside_python

STARTED_WITHIN = timedelta(seconds=60)  # the SDK gives a server 5 seconds, which a busy machine may need more of


def skipping_server() -> Coroutine[Any, Any, WorkflowEnvironment]:
    """The SDK's test server, which skips time."""
    return WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=beside_python("temporal-test-server"), test_server_startup_timeout=STARTED_WITHIN
    )
