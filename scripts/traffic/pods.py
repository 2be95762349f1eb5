"""Runs a process for each pod of a namespace, as a kubelet would: nodes of the local stack only say that pods run.

A pod of a release is registered under ``<environment>--<service>`` once its
process listens, and taken out of the registry before the process ends, so that
requests under way are answered and no new ones come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workflows.clients.kubernetes import Cluster
from workflows.errors import AdxConnectionError, AdxTimeoutError
from workflows.services.registry.checks import HttpCheck
from workflows.services.registry.interface import Registry
from workflows.services.registry.models import Endpoint, ServiceRegistration

LOOK_EVERY_SECONDS = 0.2
LEAVE_SECONDS = 1.0
"""Between leaving the registry and ending: what the gateway has just sent on its way arrives."""


class Instance(Protocol):
    """A running process."""

    port: int

    def end(self) -> None:
        """Let it answer what it has begun, and end it."""
        ...


@dataclass(frozen=True)
class PodFacts:
    """What a process needs to know of its pod."""

    name: str
    service: str
    version: str
    release: str


Start = Callable[[PodFacts], Instance]


class Pods:
    """Keeps one process for each running pod of ``namespace`` that says of which release it is."""

    def __init__(self, cluster: Cluster, registry: Registry, namespace: str, environment: str, start: Start) -> None:
        self._cluster, self._registry, self._namespace = cluster, registry, namespace
        self._environment, self._start = environment, start
        self._running: dict[str, tuple[Instance, ServiceRegistration]] = {}
        self._registered: set[str] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> Mapping[str, Instance]:
        """The processes by name of their pod."""
        return {name: instance for name, (instance, _) in self._running.items()}

    async def keep(self) -> None:
        """Look again and again, until cancelled; then end every process. A server that is away is asked again."""
        try:
            while True:
                with contextlib.suppress(AdxConnectionError, AdxTimeoutError):
                    await self._look()
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        finally:
            await asyncio.gather(*self._starting)
            for name in list(self._running):
                self._let_go(name)
            await asyncio.gather(*self._leaving)

    async def _look(self) -> None:
        wanted = {facts.name: facts for pod in await self._cluster.pods(self._namespace) if (facts := facts_of(pod))}
        for name in self._running.keys() - wanted.keys():
            self._let_go(name)
        for name in wanted.keys() - self._running.keys():
            starting = asyncio.create_task(self._run(wanted[name]))
            self._starting.add(starting)
            starting.add_done_callback(self._starting.discard)
            await asyncio.shield(starting)  # a thread starts it, which no cancellation reaches
        for name in self._running.keys() - self._registered:
            await self._registry.register(self._running[name][1])
            self._registered.add(name)

    def _let_go(self, name: str) -> None:
        self._registered.discard(name)
        task = asyncio.create_task(_end(self._registry, *self._running.pop(name)))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _run(self, facts: PodFacts) -> None:
        instance = await asyncio.to_thread(self._start, facts)
        registration = ServiceRegistration(
            name=f"{self._environment}--{facts.service}",
            version=facts.version,
            release=facts.release,
            endpoints=(Endpoint("http", "127.0.0.1", instance.port),),
            health_check=HttpCheck(path="/health", interval_seconds=1, timeout_seconds=1),
        )
        self._running[facts.name] = (instance, registration)


async def _end(registry: Registry, instance: Instance, registration: ServiceRegistration) -> None:
    try:
        await registry.deregister(registration)
        await asyncio.sleep(LEAVE_SECONDS)
    finally:
        await asyncio.to_thread(instance.end)


def facts_of(pod: Mapping[str, Any]) -> PodFacts | None:
    """None for a pod that does not run, is going away, or is of no release. Pure."""
    metadata, labels = pod["metadata"], pod["metadata"].get("labels", {})
    if pod["status"].get("phase") != "Running" or metadata.get("deletionTimestamp") or "adx/release" not in labels:
        return None
    return PodFacts(
        name=metadata["name"],
        service=labels["app.kubernetes.io/name"],
        version=labels["app.kubernetes.io/version"],
        release=labels["adx/release"],
    )
