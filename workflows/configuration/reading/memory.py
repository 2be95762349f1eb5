"""What one process knows: readings by key, until when each is believed, and what a change concerns. No I/O."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

import msgspec

from policies.configuration.values import ConfigurationKey
from workflows.configuration.reading.model import Reading


class Known(msgspec.Struct):
    """A reading. ``believed_until`` on the monotonic clock; ``form`` of a secret: what it was opened from."""

    reading: Reading
    believed_until: float
    form: str | None = None


class Memory:
    """Readings by key. What is not believed any more is kept: it may be all there is."""

    def __init__(self, jitter_share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.known: dict[ConfigurationKey, Known] = {}
        self.clock = clock
        self._jitter_share = jitter_share
        # A change of an environment's value concerns every tenant's reading of it.
        self._by_common: dict[ConfigurationKey, set[ConfigurationKey]] = {}
        self.news = 0
        self._news_of: dict[ConfigurationKey, int] = {}
        self._news_of_all = 0

    def fresh(self, key: ConfigurationKey) -> Reading | None:
        """What is known and believed."""
        known = self.known.get(key)
        return known.reading if known is not None and known.believed_until > self.clock() else None

    def keep(
        self,
        key: ConfigurationKey,
        reading: Reading,
        seconds: float,
        *,
        form: str | None = None,
        since: int | None = None,
    ) -> None:
        """Believe ``reading`` for about so long; not at all if there was news of it ``since`` it was asked for."""
        common = key.for_all_tenants()
        seconds *= 1 - random.random() * self._jitter_share  # noqa: S311 - spreads load, hides nothing
        is_old = since is not None and max(self._news_of.get(common, 0), self._news_of_all) > since
        self.known[key] = Known(reading, float("-inf") if is_old else self.clock() + seconds, form)
        self._by_common.setdefault(common, set()).add(key)

    def forget(self, keys: Iterable[ConfigurationKey]) -> None:
        """Know nothing of ``keys`` any more; whoever asks for one has it looked up."""
        for key in keys:
            self.known.pop(key, None)
            common = key.for_all_tenants()
            others = self._by_common.get(common, set())
            others.discard(key)
            if not others:
                self._by_common.pop(common, None)

    def opened(self, keys: Iterable[ConfigurationKey] | None = None) -> dict[ConfigurationKey, tuple[str, str]]:
        """Secrets (of ``keys``, or all) known in clear, with their form, which tells whether they are the same."""
        known = ((key, self.known[key]) for key in (self.known if keys is None else keys) if key in self.known)
        return {key: (one.form, str(one.reading.value)) for key, one in known if one.form is not None}

    def doubt(self, changed: Iterable[ConfigurationKey]) -> None:
        """The values of ``changed`` are to be looked up again."""
        self.news += 1
        for one in changed:
            self._news_of[one.for_all_tenants()] = self.news
            keys = self._by_common.get(one, set()) if one.tenant_id is None else {one}
            for key in keys:
                if key in self.known:
                    self.known[key].believed_until = float("-inf")

    def shorten(self, seconds: float) -> None:
        """Believe nothing for longer than about so long from now."""
        now = self.clock()
        for known in self.known.values():
            spread = 1 - random.random() * self._jitter_share  # noqa: S311 - spreads load, hides nothing
            known.believed_until = min(known.believed_until, now + seconds * spread)

    def doubt_all(self) -> None:
        """News may have been missed."""
        self.news += 1
        self._news_of_all = self.news
        for known in self.known.values():
            known.believed_until = float("-inf")
