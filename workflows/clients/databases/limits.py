"""How long a statement may wait and run, and how patiently locks are asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from policies.migrations.model import Header


@dataclass(frozen=True, slots=True)
class Limits:
    """Milliseconds; 0 means no limit."""

    lock_timeout_ms: int
    statement_timeout_ms: int

    @classmethod
    def of(cls, header: Header) -> Limits:
        """What a script's header says."""
        return cls(header.lock_timeout_ms, header.statement_timeout_ms)


@dataclass(frozen=True, slots=True)
class LockPatience:
    """After a lock time-out: how often it is tried again, and after how long at most.

    Delays double from ``first_delay_seconds`` and are drawn evenly from zero
    to that ("full jitter"), so that several that wait for one another come apart.
    ``migration_lock_seconds``: how long the lock of the schema is waited for.
    """

    attempts: int = 8
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 30.0
    migration_lock_seconds: float = 10.0
    draw: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def delays_seconds(self) -> Iterator[float]:
        """One delay before each attempt after the first."""
        for attempt in range(self.attempts - 1):
            longest = min(self.first_delay_seconds * 2**attempt, self.longest_delay_seconds)
            yield self.draw(0.0, longest)
