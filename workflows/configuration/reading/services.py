"""What one process knows of whole services: all their values, and until when these are believed. No I/O."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from policies.configuration.values import ConfigurationKey
from policies.errors import AdxError
from workflows.configuration.reading.loading import Loaded
from workflows.configuration.reading.model import Reading, Scope, Values
from workflows.configuration.reading.shared import changed_services

Service = tuple[str, str, str | None]
MOST_VALUES = 100_000  # about 100 MB; a hundred services with fifty values each, for twenty tenants


class KnownValues(msgspec.Struct):
    """All values of a service for one tenant, and which keys it had; ``believed_until`` on the monotonic clock."""

    values: Values
    keys: frozenset[ConfigurationKey]
    believed_until: float


class Services:
    """Values by service and tenant. What is not believed any more is kept: it may be all there is.

    Whoever may ask for any tenant can make names up, so only ``most_values`` are kept (a service counts as one more
    than it has values): those of the services and tenants that were asked for last.
    A change of any key of a service, whoever's, puts all of it in doubt: it may be a key that nobody knew.
    """

    def __init__(
        self, jitter_share: float, clock: Callable[[], float] = time.monotonic, *, most_values: int = MOST_VALUES
    ) -> None:
        self.news = 0
        self._clock = clock
        self._jitter_share = jitter_share
        self._known: OrderedDict[Scope, KnownValues] = OrderedDict()
        self._most_values = most_values
        self._size = 0
        self._news_of: dict[Service, int] = {}
        self._news_of_all = 0

    def fresh(self, scope: Scope) -> Values | None:
        """What is known and believed."""
        known = self._known.get(scope)
        if known is None:
            return None
        self._known.move_to_end(scope)
        return known.values if known.believed_until > self._clock() else None

    def keys(self, scope: Scope) -> frozenset[ConfigurationKey] | None:
        """The keys that the service had last; None where nobody has asked for it."""
        known = self._known.get(scope)
        return known.keys if known is not None else None

    def latest_news(self, scope: Scope) -> int:
        """The number of the last news of the service."""
        return max(self._news_of.get(scope[:3], 0), self._news_of_all)

    def keep(
        self, scope: Scope, values: Values, keys: Iterable[ConfigurationKey], seconds: float, *, since: int
    ) -> set[ConfigurationKey]:
        """Believe ``values`` for about so long; not at all if there was news of the service ``since`` it was asked.

        The keys that are not known here any more: the service has them no longer, or others took their place.
        """
        seconds *= 1 - random.random() * self._jitter_share  # noqa: S311 - spreads load, hides nothing
        believed_until = float("-inf") if self.latest_news(scope) > since else self._clock() + seconds
        gone = set(self._dropped(scope)) if scope in self._known else set()
        self._known[scope] = known = KnownValues(values, frozenset(keys), believed_until)
        self._size += 1 + len(known.keys)
        while self._size > self._most_values and len(self._known) > 1:
            gone |= self._dropped(next(iter(self._known)))
        return gone - known.keys

    def doubt(self, changed: Iterable[ConfigurationKey]) -> None:
        """The values of ``changed`` are to be looked up again, and with them all of their services."""
        self.news += 1
        services = changed_services(changed)
        self._news_of |= dict.fromkeys(services, self.news)
        for scope, known in self._known.items():
            if scope[:3] in services:
                known.believed_until = float("-inf")

    def doubt_all(self) -> None:
        """News may have been missed."""
        self.news += 1
        self._news_of_all = self.news
        for known in self._known.values():
            known.believed_until = float("-inf")

    def shorten(self, seconds: float) -> None:
        """Believe nothing for longer than so long from now."""
        until = self._clock() + seconds
        for known in self._known.values():
            known.believed_until = min(known.believed_until, until)

    def _dropped(self, scope: Scope) -> frozenset[ConfigurationKey]:
        known = self._known.pop(scope)
        self._size -= 1 + len(known.keys)
        return known.keys


def gathered(
    loaded: Mapping[ConfigurationKey, Loaded], answer: Callable[[ConfigurationKey, Loaded], Reading]
) -> Values:
    """What ``answer`` makes of each; where it raises, or has nothing but that there was none, why."""
    values = Values({}, {})
    for key, one in loaded.items():
        try:
            reading = answer(key, one)
        except AdxError as error:
            values.unavailable[key] = str(error)
            continue
        if reading.is_found:
            values.readings[key] = reading
        else:  # that there was none before says nothing about the one that cannot be had now
            values.unavailable[key] = str(one.error)
    return values
