"""Which of several instances is next. Pure, apart from counters.

``round-robin``   every instance in turn, by weight, the turns of each spread evenly over the round
``least-loaded``  the fewest requests under way (of this process) for its weight; equals in turn

A pick takes no lock: what it reads is a tuple that is replaced as a whole, and
a counter whose step is one operation. So threads may pick, too; whoever counts
requests under way (``Loads``) does so in one thread.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Literal

from workflows.services.registry.interface import Instances
from workflows.services.registry.models import Instance

Strategy = Literal["round-robin", "least-loaded"]
# A round has as many turns as the weights, divided by what they have in common, add up to. With larger sums the
# weights are rounded, so that a round stays small.
LONGEST_ROUND_TURNS = 4096
# All are compared up to here, beyond two that are drawn: nearly as even (Mitzenmacher, "The Power of Two Choices in
# Randomized Load Balancing", 2001), and a pick stays as fast with a thousand instances.
MOST_COMPARED = 16

Loads = dict[str, int]


def round_of(instances: Instances) -> Instances:
    """One round: each instance as often as its weight says.

    The k-th turn of an instance, counted from 0, lies at (k + ½) / weight: the
    divisor method of Webster and Sainte-Laguë. It is as smooth as nginx's
    weighted round robin, which needs a step for every instance at every turn.
    """
    weights = _reduced([instance.weight for instance in instances])
    turns = [(0.5 / weight, number) for number, weight in enumerate(weights)]
    heapq.heapify(turns)
    made = []
    for _ in range(sum(weights)):
        place, number = turns[0]
        made.append(instances[number])
        heapq.heapreplace(turns, (place + 1 / weights[number], number))
    return tuple(made)


def _reduced(weights: Sequence[int]) -> list[int]:
    """The same proportions in smaller numbers; rounded, but to no less than 1, where that is not small enough."""
    divisor = math.gcd(*weights)
    reduced = [weight // divisor for weight in weights]
    most = max(LONGEST_ROUND_TURNS, 2 * len(weights))
    share = most / max(sum(reduced), 1)
    return reduced if share >= 1 else [max(round(weight * share), 1) for weight in reduced]


class Balancer:
    """Picks one of ``instances`` (not empty) each time it is called for; ``loads`` are requests under way, by id."""

    def __init__(self, instances: Instances, loads: Loads, *, start: int | None = None) -> None:
        self._instances, self._loads = instances, loads
        self._round = round_of(instances)
        # Processes that begin at the same instance would all begin there at once.
        begin = random.randrange(len(self._round)) if start is None else start  # noqa: S311 - spreads load, hides nothing
        self._turn = itertools.count(begin)

    def of(self, strategy: Strategy) -> Callable[[], Instance]:
        """The function that picks in that way."""
        return self.in_turn if strategy == "round-robin" else self.least_loaded

    def in_turn(self) -> Instance:
        """The next of the round."""
        turns = self._round
        return turns[next(self._turn) % len(turns)]

    def least_loaded(self) -> Instance:
        """The one with the fewest requests under way for its weight, in turn among equals."""
        loads, found = self._loads, self.in_turn()
        fewest = loads.get(found.id, 0) / found.weight
        if fewest == 0:
            return found
        instances = self._instances
        others = instances if len(instances) <= MOST_COMPARED else (random.choice(instances),)  # noqa: S311 - spreads load
        for other in others:
            load = loads.get(other.id, 0) / other.weight
            if load < fewest:
                found, fewest = other, load
        return found
