"""How many requests one caller may send: a bucket of tokens each, filled evenly. Pure; time is handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


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
