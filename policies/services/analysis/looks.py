"""How often growing data may be looked at without being fooled by chance.

Whoever looks twenty times at an error of 5 % each is fooled far more often than in 5 % of all deployments. So the error
of a whole deployment is divided: by the planned looks and by the checks at each. Because the chance that any of several
things happens is at most the sum of their chances (Bonferroni), this holds whatever depends on what: looks at the same
growing data, rules about the same requests. The price: a bound for a twentieth of the error is about 1.7 times as wide.
Boundaries that use the dependence (O'Brien and Fleming, Lan and DeMets) would give some of it back, but need sums that
are near normal, which ten failures are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """The ``number``-th look (from 1) of ``planned`` in the whole deployment, all steps counted.

    ``is_last``: the last one of its bake: what is inconclusive now stays so. ValueError for a number below 1.
    """

    number: int
    planned: int
    is_last: bool = False

    def __post_init__(self) -> None:
        if self.number < 1 or self.planned < 1:
            raise ValueError(f"look {self.number} of {self.planned} cannot be")

    def share(self, error: float, checks: int) -> float:
        """The error that one check may make at this look, so that all together make at most ``error``.

        0 for a look beyond the plan: the error is used up, so nothing can be failed by statistics any more.
        """
        return 0.0 if self.number > self.planned else error / (self.planned * max(checks, 1))


def planned_looks(bake_seconds: Iterable[float], interval_seconds: float) -> int:
    """How often all these bakes will be looked at: every ``interval_seconds`` and at the end of each; at least 1."""
    return max(1, sum(max(1, math.ceil(seconds / interval_seconds)) for seconds in bake_seconds))
