"""What finding a service costs, and how soon a change in Consul is found.

A pick is timed with a thousand instances of five weights in the memory that
pickers use, as a service calls ``discover_service``, and with a lease around
it. The latency is that of a real agent: from the moment before a change is put
into its catalogue until the picker has it, Consul's own commit included.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.bench.rows import Row, absolute
from scripts.stack import ports
from scripts.stack.parts import consul
from scripts.toolchain import resolve
from workflows.clients.consul import Consul
from workflows.services.registry import ConsulRegistry, Discovery, Instance, Picker, ServiceRegistration
from workflows.services.registry.interface import Instances

PICK, LEASE, LATENCY = "services.discover", "services.discover_leased", "services.discovery_latency"
RUNS, PICKS, INSTANCES, CHANGES = 7, 2000, 1000, 15
# Beyond a burst a watcher asks twice a second at most; this measures one change, not a flood of them.
BETWEEN_CHANGES_SECONDS = 0.5
AGENT_WITHIN_SECONDS = 30.0


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    made: list[tuple[str, Callable[[str], Row]]] = [
        (PICK, lambda name: absolute(name, asyncio.run(_picks(_discover)), "µs", 5)),
        (LEASE, lambda name: absolute(name, asyncio.run(_picks(_lease)), "µs", 5)),
        (LATENCY, lambda name: absolute(name, _latencies(), "ms", 50)),
    ]
    return [make(name) for name, make in made if only in name]


class _Full:
    """A registry that says once what there is, so that the memory alone is measured."""

    async def watch(self, name: str, *, every_seconds: float) -> AsyncGenerator[Instances, None]:  # noqa: ARG002
        yield tuple(
            Instance(id=str(number), name=name, address="127.0.0.1", port=number, weight=1 + number % 5)
            for number in range(1, INSTANCES + 1)
        )
        await asyncio.sleep(3600)

    async def register(self, registration: ServiceRegistration) -> None: ...

    async def renew(self, registration: ServiceRegistration) -> None: ...

    async def deregister(self, registration: ServiceRegistration) -> None: ...

    async def close(self) -> None: ...


async def _picks(one: Callable[[Discovery], Awaitable[None]]) -> list[float]:
    """Microseconds for each of ``PICKS``, the loop and the call around it included; the first run warms up."""
    found = []
    async with Discovery(_Full()) as discovery:
        for _ in range(RUNS + 1):
            begun = time.perf_counter()
            for _ in range(PICKS):
                await one(discovery)
            found.append((time.perf_counter() - begun) / PICKS * 1e6)
    return found[1:]


async def _discover(discovery: Discovery) -> None:
    await discovery.discover_service("cart")


async def _lease(discovery: Discovery) -> None:
    async with discovery.lease("cart"):
        pass


def _latencies() -> list[float]:
    with _agent() as url:
        return asyncio.run(_changes(url))


async def _changes(url: str) -> list[float]:
    """Milliseconds for each of ``CHANGES``: an instance that comes."""
    registry, found = ConsulRegistry(Consul(url)), []
    async with Discovery(registry) as discovery, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for number in range(1, CHANGES + 1):
            picker = await discovery.picker("cart")
            begun = time.perf_counter()
            change = asyncio.create_task(client.put("/v1/catalog/register", json=_instance(number)))
            await _until(picker, number)
            found.append((time.perf_counter() - begun) * 1e3)
            (await change).raise_for_status()
            await asyncio.sleep(BETWEEN_CHANGES_SECONDS)
    await registry.close()
    return found


def _instance(number: int) -> dict[str, Any]:
    service = {"ID": f"cart-{number}", "Service": "cart", "Address": "127.0.0.1", "Port": number}
    return {"Node": "bench", "Address": "127.0.0.1", "Service": service}


async def _until(picker: Picker, count: int) -> None:
    while len(picker.instances()) != count:  # noqa: ASYNC110 - the picker is asked, as a service does
        await asyncio.sleep(0.0002)


@contextmanager
def _agent() -> Iterator[str]:
    """The address of an agent of this benchmark's own."""
    chosen: dict[str, int] = {}
    for name in consul.PART.ports:
        chosen[name] = ports.choose(set(chosen.values()))
    url = f"http://127.0.0.1:{chosen['http']}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "consul.json"
        file.write_text(json.dumps(consul.configuration(chosen)))
        command = [str(resolve("consul").path), "agent", "-dev", f"-config-file={file}", "-log-level=error"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await_leader(url)
            yield url
        finally:
            process.kill()
            process.wait()


def _await_leader(url: str) -> None:
    give_up_at = time.monotonic() + AGENT_WITHIN_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/v1/catalog/nodes", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > give_up_at:
            raise SystemExit(f"Consul is not ready within {AGENT_WITHIN_SECONDS:g} s")
        time.sleep(0.1)
