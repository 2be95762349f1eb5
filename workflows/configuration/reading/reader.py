"""Configuration for services: ``get_configuration(key)``, in microseconds once it is known, and through outages.

::

    in-process cache → Redis (5 minutes) → repository → Vault

Callers that want the same key at the same moment share one look-up. A value
that cannot be confirmed because something is away is served as it was, and
says so (``is_stale``). News of changes come by publish/subscribe; while they
cannot be heard, values are believed for seconds instead of minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from policies.configuration.values import ConfigurationKey
from policies.errors import AdxError
from workflows.configuration.errors import ValueUnavailable
from workflows.configuration.reading.entries import Entry
from workflows.configuration.reading.listening import Listener
from workflows.configuration.reading.loading import Loaded, Loader, Rows
from workflows.configuration.reading.memory import Memory
from workflows.configuration.reading.model import DEFAULT_TIMES, Health, Reading, Scope, Times, Values
from workflows.configuration.reading.services import MOST_VALUES, Services, gathered
from workflows.configuration.reading.shared import SharedCache
from workflows.configuration.repository import ConfigurationStore
from workflows.configuration.secrets.opening import Opener, keep_alive


class ConfigurationReader:
    """Reads for one process and event loop; use it as an async context manager."""

    def __init__(
        self,
        rows: Rows,
        *,
        opener: Opener | None = None,
        shared: SharedCache | None = None,
        times: Times = DEFAULT_TIMES,
        clock: Callable[[], float] = time.monotonic,
        most_values: int = MOST_VALUES,
    ) -> None:
        self._times = times
        self._shared = shared
        self._loader = Loader(rows, opener, shared)
        self._memory = Memory(times.jitter_share, clock)
        self._services = Services(times.jitter_share, clock, most_values=most_values)
        self._listener = Listener(shared, (self._memory, self._services), times)
        self._flights: dict[ConfigurationKey, asyncio.Task[dict[ConfigurationKey, Loaded]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._looks: dict[ConfigurationKey, asyncio.Future[None] | None] = {}
        self._stale_served = 0
        self._loads: dict[tuple[Scope, int], asyncio.Task[Values]] = {}
        self._opener = opener
        self._closing: list[Callable[[], Coroutine[Any, Any, None]]] = []

    @classmethod
    def from_settings(cls, environ: Mapping[str, str], *, times: Times = DEFAULT_TIMES) -> ConfigurationReader:
        """A reader of the database, Redis and Vault that the settings name; the last two may be unset.

        Contacts nobody. Raises StoreRefused, CacheKeyRefused and VaultRefused.
        """
        store = ConfigurationStore(environ.get("ADX_CONFIGURATION_URL") or environ.get("ADX_LEDGER_URL", ""))
        shared = SharedCache.from_settings(environ, times)
        opener = Opener.from_settings(environ) if environ.get("VAULT_ADDR") else None
        reader = cls(store, opener=opener, shared=shared, times=times)
        reader._closing.append(store.close)
        return reader

    async def get_configuration(self, key: ConfigurationKey) -> Reading:
        """The value of ``key``: the tenant's own if there is one, else the environment's.

        Raises ValueUnavailable, or what is wrong with a secret, only where no older value is known.
        """
        known = self._memory.known.get(key)
        if known is not None and known.believed_until > self._memory.clock():
            return known.reading
        if key not in self._flights:
            reading = await self._quick(key)
            if reading is not None:
                return reading
        return (await self._get([key]))[key]

    def peek(self, key: ConfigurationKey) -> Reading | None:
        """The value of ``key`` without waiting; None when it is not known, or not believed any more."""
        return self._memory.fresh(key)

    async def get_many(self, keys: Iterable[ConfigurationKey]) -> dict[ConfigurationKey, Reading]:
        """The values of ``keys``; one question to each backend. Raises as ``get_configuration`` does."""
        fresh: dict[ConfigurationKey, Reading] = {}
        others: list[ConfigurationKey] = []
        for key in dict.fromkeys(keys):
            reading = self._memory.fresh(key)
            if reading is None:
                others.append(key)
            else:
                fresh[key] = reading
        return fresh | await self._get(others) if others else fresh

    async def warm(
        self, namespace: str, environment: str, *, service: str | None = None, tenant_id: str | None = None
    ) -> dict[ConfigurationKey, Reading]:
        """Everything that an environment, or one service of it, has; one query, secrets in batches.

        Secrets that cannot be opened are left out: asking for them says why. Raises the repository's errors.
        """
        loaded = await self._load_all((namespace, environment, service, tenant_id))
        return {key: one.reading for key, one in loaded.items() if one.reading is not None}

    async def values_of(self, namespace: str, environment: str, service: str, tenant_id: str | None = None) -> Values:
        """Every value of a service; what was known last, marked, while repository or Vault is away.

        They are believed for as long as single values are; callers that want them at the same moment share one query.
        Raises the repository's errors where it has not been asked for the service before.
        """
        scope = (namespace, environment, service, tenant_id)
        fresh = self._services.fresh(scope)
        if fresh is not None:
            return fresh
        # Whoever comes after news does not join a look that began before them.
        look = (scope, self._services.latest_news(scope))
        load = self._loads.get(look)
        if load is None:
            load = self._loads[look] = self._in_background(self._load_values(scope))
            load.add_done_callback(lambda _: self._loads.pop(look, None))
        keys = self._services.keys(scope)
        done, _late = await asyncio.wait((load,), timeout=self._times.load if keys is None else self._times.patience)
        if done:
            return load.result()
        late = ValueUnavailable(f"{service} was not to be had in time", next_step="look at the backends")
        if keys is None:
            raise late
        return gathered(dict.fromkeys(keys, Loaded(error=late)), self._answer)

    async def wait_for_change(self, namespace: str, environment: str, service: str, seconds: float) -> bool:
        """Whether a value of the service changed within so many seconds from now, or news of it may have been lost."""
        return await self._listener.wait((namespace, environment, service), seconds)

    def health(self) -> Health:
        """What is away, and what was seen of it."""
        redis = self._shared.why_away if self._shared else ""
        return Health(
            away=self._loader.away | ({"redis": redis} if redis else {}),
            is_hearing=self._listener.is_hearing,
            entries=len(self._memory.known),
            forged_entries=self._shared.forged_entries if self._shared else 0,
            stale_served=self._stale_served,
        )

    async def start(self) -> None:
        """Begin to listen for changes, and to keep Vault's token alive."""
        self._in_background(self._listener.run())
        if self._opener is not None:
            self._in_background(keep_alive(self._opener.session))

    async def close(self) -> None:
        """End what runs in the background; give back connections."""
        # More than once: a cancellation that arrives together with a message from Redis is lost (CPython's wait_for).
        while tasks := [task for task in self._tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)
        for close in (*([self._shared.close] if self._shared else []), *self._closing):
            await close()

    async def __aenter__(self) -> ConfigurationReader:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _load_values(self, scope: Scope) -> Values:
        since = self._services.news
        try:
            loaded = await self._load_all(scope)
        except AdxError as error:
            keys = self._services.keys(scope)
            if keys is None:
                raise
            loaded = {key: Loaded(error=error) for key in keys}
        values = gathered(loaded, self._answer)
        is_whole = all(one.error is None for one in loaded.values())
        seconds = self._believed_seconds if is_whole else self._times.retry
        self._memory.forget(self._services.keep(scope, values, loaded, seconds, since=since))
        return values

    async def _load_all(self, scope: Scope) -> dict[ConfigurationKey, Loaded]:
        since = self._memory.news
        loaded = await self._loader.load_all(scope, self._memory.opened())
        self._keep(loaded, since)
        self._in_background(self._loader.fill())
        return loaded

    async def _get(self, keys: list[ConfigurationKey]) -> dict[ConfigurationKey, Reading]:
        """Look up ``keys``, together with whoever wants one of them already."""
        new = [key for key in keys if key not in self._flights]
        if new:
            flight = self._in_background(self._fly(new, self._memory.news))
            self._flights |= dict.fromkeys(new, flight)
        flights = {self._flights[key] for key in keys}
        has_all = all(key in self._memory.known for key in keys)
        done, _late = await asyncio.wait(flights, timeout=self._times.patience if has_all else self._times.load)
        loaded: dict[ConfigurationKey, Loaded] = {}
        for flight in done:
            loaded |= flight.result()
        return {key: self._answer(key, loaded.get(key)) for key in keys}

    async def _quick(self, key: ConfigurationKey) -> Reading | None:
        """What the shared cache alone can say of ``key``, without a task of its own; None where it cannot.

        Others who want the key meanwhile wait for this look first.
        """
        if key in self._looks:
            look = self._looks[key] = self._looks[key] or asyncio.get_running_loop().create_future()
            await asyncio.wait((look,))
            return self._memory.fresh(key)
        if self._shared is None:
            return None
        since = self._memory.news
        # Most keys are wanted once at a time: only a second caller makes something to wait for.
        self._looks[key] = None
        try:
            layers = [key] if key.tenant_id is None else [key, key.for_all_tenants()]
            found = await self._loader.shared_entries(layers)
            known = self._memory.known.get(key)
            opened = None if known is None or known.form is None else (known.form, str(known.reading.value))
            result = self._loader.reading(key, found, opened)
            if result is not None:
                self._memory.keep(key, result[0], self._believed_seconds, form=result[1], since=since)
                return result[0]
            if key not in self._flights:
                self._flights[key] = self._in_background(self._fly([key], since, found))
            return None
        finally:
            waiting = self._looks.pop(key)
            if waiting is not None:
                waiting.set_result(None)

    @property
    def _believed_seconds(self) -> float:
        return self._times.in_process if self._listener.is_hearing else self._times.unheard

    async def _fly(
        self, keys: list[ConfigurationKey], since: int, shared: Mapping[ConfigurationKey, Entry] | None = None
    ) -> dict[ConfigurationKey, Loaded]:
        """Look up ``keys``; ``since`` is the last news before anybody was asked, the shared cache included."""
        try:
            loaded = await self._loader.load(keys, self._memory.opened(keys), shared)
            self._keep(loaded, since)
            return loaded
        finally:
            for key in keys:
                self._flights.pop(key, None)
            if self._loader.unfilled:
                self._in_background(self._loader.fill())

    def _answer(self, key: ConfigurationKey, loaded: Loaded | None) -> Reading:
        """What was loaded, else what was known last, marked. Raises what is wrong where nothing is known."""
        if loaded is not None and loaded.reading is not None:
            return loaded.reading
        known = self._memory.known.get(key)
        if known is None:
            error = loaded.error if loaded is not None else None
            raise error or ValueUnavailable(f"{key} was not to be had in time", next_step="look at the backends")
        self._stale_served += 1
        stale = msgspec.structs.replace(known.reading, is_stale=True)
        if known.believed_until <= self._memory.clock():
            self._memory.keep(key, stale, self._times.retry, form=known.form)
        return stale

    def _keep(self, loaded: Mapping[ConfigurationKey, Loaded], since: int) -> None:
        seconds = self._believed_seconds
        for key, one in loaded.items():
            if one.reading is not None:
                self._memory.keep(key, one.reading, seconds, form=one.form, since=since)

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


CANCEL_AGAIN_SECONDS = 0.1
