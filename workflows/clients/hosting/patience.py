"""How long one operation may wait, and how often it tries again."""

from __future__ import annotations

from collections.abc import Callable

from workflows.clients.hosting.errors import HostingRateLimited
from workflows.errors import AdxConnectionError, AdxTimeoutError

RETRIES = 4
FIRST_DELAY_SECONDS = 1.0
SHORTEST_WAIT_SECONDS = 1.0


class Patience:
    """The waiting of one operation, over all of its requests. ``pause`` waits for that many seconds."""

    def __init__(self, budget_seconds: float, pause: Callable[[float], None]) -> None:
        self._left_seconds = budget_seconds
        self._retries_left = RETRIES
        self._delay_seconds = FIRST_DELAY_SECONDS
        self._pause = pause

    def until_allowed(self, error: HostingRateLimited) -> None:
        """Wait for as long as GitHub asks. Raises ``error`` when that is longer than may be waited."""
        # At least a little, so that a server that always asks for 0 seconds is not asked for ever.
        self._wait(max(error.wait_seconds, SHORTEST_WAIT_SECONDS), error)

    def before_retry(self, error: AdxConnectionError | AdxTimeoutError) -> None:
        """Wait a little longer each time. Raises ``error`` when it has been tried often enough."""
        if self._retries_left == 0:
            raise error
        self._retries_left -= 1
        self._wait(self._delay_seconds, error)
        self._delay_seconds *= 2

    def _wait(self, seconds: float, error: AdxConnectionError | AdxTimeoutError) -> None:
        if seconds > self._left_seconds:
            raise error
        self._left_seconds -= seconds
        self._pause(seconds)
