"""What is too much: for a body, a page, a wait, and how many requests one caller may send.

The last is a bucket of tokens each, filled evenly. Pure; time is handed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LARGEST_BODY_BYTES = 64 * 1024
PAGE, LARGEST_PAGE = 50, 200
LONGEST_WAIT_SECONDS = 60
PER_SECOND, BURST_SECONDS = 50.0, 4


@dataclass
class _Bucket:
    left: float
    at_seconds: float


@dataclass
class RateLimit:
    """``per_second`` on average and ``burst`` at once, for each caller by its own."""

    per_second: float
    burst: int
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    @classmethod
    def of(cls, per_second: float = PER_SECOND) -> RateLimit:
        """``per_second``, of which some seconds' worth may come at once."""
        return cls(per_second, max(1, round(per_second * BURST_SECONDS)))

    def wait_seconds(self, caller: str, now_seconds: float) -> int:
        """0 when the request may pass, and is counted; else after how many whole seconds one may."""
        bucket = self._buckets.setdefault(caller, _Bucket(self.burst, now_seconds))
        passed_seconds = max(0.0, now_seconds - bucket.at_seconds)
        bucket.left = min(self.burst, bucket.left + passed_seconds * self.per_second)
        bucket.at_seconds = now_seconds
        if bucket.left >= 1:
            bucket.left -= 1
            return 0
        return max(1, math.ceil((1 - bucket.left) / self.per_second))
