"""Finding services: healthy instances out of this process's own memory, which a watcher per service keeps fresh.

::

    async with Discovery(ConsulRegistry(Consul.from_environ(os.environ))) as discovery:
        cart = await discovery.discover_service("cart", tenant="acme")
        async with discovery.lease("cart") as instance:     # the least loaded; counted until the block ends
            ...

While the registry is away, what it said last is given out for ``Times.stale``
seconds; after that nothing is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from workflows.services.registry.balancing import Balancer, Loads, Strategy
from workflows.services.registry.errors import NoHealthyServices
from workflows.services.registry.interface import Instances, Registry
from workflows.services.registry.models import Instance, is_service_name
from workflows.services.registry.watching import NOTHING, Known, Times, Watched

# Tenants are many and pickers are quickly made again, so the memory for them has an end.
MOST_PICKERS = 10_000


class Choice(NamedTuple):
    """Which instances of a service are wanted; None for ``release`` and ``version``: any."""

    release: str | None = None
    version: str | None = None
    tenant: str | None = None
    strategy: Strategy = "round-robin"

    def takes(self, instance: Instance) -> bool:
        """Whether ``instance`` is one of them."""
        return (
            (self.release is None or instance.release == self.release)
            and (self.version is None or instance.version == self.version)
            and instance.serves(self.tenant)
        )

    def __str__(self) -> str:
        asked = {"release": self.release, "version": self.version, "tenant": self.tenant}
        said = ", ".join(f"{word} {value}" for word, value in asked.items() if value is not None)
        return said or "for requests of no tenant"


class Picker:
    """Picks instances of one service and choice. Made by Discovery, and kept for all who choose the same."""

    def __init__(self, watched: Watched, choice: Choice, loads: Loads, clock: Callable[[], float]) -> None:
        self._watched, self._choice, self._loads, self._clock = watched, choice, loads, clock
        # Both are replaced together: a pick never sees the way of picking of other instances.
        self._ready: tuple[Instances | None, Callable[[], Instance] | None] = (None, None)

    def pick(self) -> Instance:
        """The next instance. Raises NoHealthyServices. No lock, no await, no question to anybody."""
        known = self._watched.known
        seen, pick = self._ready
        if known.instances is not seen:
            pick = self._prepare(known.instances)
        if pick is None or self._clock() > known.valid_until:
            raise NoHealthyServices(self._watched.name, self._why(known))
        return pick()

    def instances(self) -> Instances:
        """All instances that may be picked now; empty when there is none."""
        known = self._watched.known
        return () if self._clock() > known.valid_until else tuple(filter(self._choice.takes, known.instances))

    def _prepare(self, instances: Instances) -> Callable[[], Instance] | None:
        chosen = tuple(filter(self._choice.takes, instances))
        pick = Balancer(chosen, self._loads).of(self._choice.strategy) if chosen else None
        self._ready = (instances, pick)
        return pick

    def _why(self, known: Known) -> str:
        now = self._clock()
        if known.valid_until == NOTHING.valid_until:
            return known.why
        if now > known.valid_until:
            return f"the registry has not answered for {now - known.heard_at:.0f} s ({known.why or 'it is silent'})"
        if not known.instances:
            return "none is registered whose checks pass"
        return f"none of the {len(known.instances)} that are well is {self._choice}"


class Lease:
    """One request to an instance of the service ``name``. Made by Discovery, used once."""

    __slots__ = ("_choice", "_discovery", "_loads", "_name", "_picked_id")

    def __init__(self, discovery: Discovery, name: str, choice: Choice, loads: Loads) -> None:
        self._discovery, self._name, self._choice, self._loads, self._picked_id = discovery, name, choice, loads, ""

    async def __aenter__(self) -> Instance:
        instance = (await self._discovery.chosen(self._name, self._choice)).pick()
        self._picked_id = instance.id
        self._loads[instance.id] = self._loads.get(instance.id, 0) + 1
        return instance

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        left = self._loads[self._picked_id] - 1
        if left:
            self._loads[self._picked_id] = left
        else:
            del self._loads[self._picked_id]


class Discovery:
    """Finds services in ``registry``, which it does not close. One per event loop; close it at the end."""

    def __init__(
        self, registry: Registry, times: Times | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry, self._times, self._clock = registry, times or Times(), clock
        self._watched: dict[str, Watched] = {}
        self._pickers: dict[tuple[str, Choice], Picker] = {}
        self._loads: dict[str, Loads] = {}
        self._is_closed = False

    async def discover_service(
        self,
        name: str,
        *,
        release: str | None = None,
        version: str | None = None,
        tenant: str | None = None,
        strategy: Strategy = "round-robin",
    ) -> Instance:
        """The next healthy instance of ``name``. Waits for the registry only when nobody has asked for it before.

        ``tenant`` None: an instance that serves all tenants. Raises NoHealthyServices.
        """
        return (await self.chosen(name, Choice(release, version, tenant, strategy))).pick()

    async def picker(
        self,
        name: str,
        *,
        release: str | None = None,
        version: str | None = None,
        tenant: str | None = None,
        strategy: Strategy = "round-robin",
    ) -> Picker:
        """What ``discover_service`` picks with, for those who pick often, or from other threads."""
        return await self.chosen(name, Choice(release, version, tenant, strategy))

    async def chosen(self, name: str, choice: Choice) -> Picker:
        """The same, for a choice as one value."""
        found = self._pickers.get((name, choice))
        return found if found is not None else await self._begin(name, choice)

    def lease(
        self, name: str, *, release: str | None = None, version: str | None = None, tenant: str | None = None
    ) -> Lease:
        """``async with`` gives the least loaded instance, which counts as loaded with one more request inside."""
        choice = Choice(release, version, tenant, "least-loaded")
        return Lease(self, name, choice, self._loads.setdefault(name, {}))

    async def close(self) -> None:
        """End all watchers. Pickers give out what they know until it is too old."""
        self._is_closed = True
        watched, self._watched, self._pickers = list(self._watched.values()), {}, {}
        await asyncio.gather(*(one.close() for one in watched))

    async def __aenter__(self) -> Discovery:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _begin(self, name: str, choice: Choice) -> Picker:
        watched = self._watched.get(name)
        if watched is None:
            if self._is_closed or not is_service_name(name):
                why = "discovery is closed" if self._is_closed else "that is no name of a service"
                raise NoHealthyServices(name, why)
            watched = self._watched[name] = Watched(self._registry, name, self._times, self._clock)
        await watched.first_answer()
        loads = self._loads.setdefault(name, {})
        if len(self._pickers) >= MOST_PICKERS:
            self._pickers.clear()
        return self._pickers.setdefault((name, choice), Picker(watched, choice, loads, self._clock))
