"""Registries over real servers, and services for Consul to look after."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from tests.services.registry.agent import Agent
from tests.support.local_stack import ConsulServer
from workflows.clients.consul import Consul
from workflows.services.registry import ConsulRegistry, Discovery, NoHealthyServices, Picker

Value = TypeVar("Value")
PATIENCE_SECONDS = 60


@pytest.fixture
def name() -> str:
    """A service that no other test knows."""
    return f"cart-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def registry(consul_server: ConsulServer) -> AsyncIterator[ConsulRegistry]:
    made = ConsulRegistry(Consul(consul_server.url))
    yield made
    await made.close()


@pytest.fixture
async def discovery(registry: ConsulRegistry) -> AsyncIterator[Discovery]:
    async with Discovery(registry) as made:
        yield made


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path)
    made.start()
    yield made
    made.end()


class Web:
    """An HTTP server on a port of its own that answers everything with ``status``; ``asked`` are the paths."""

    def __init__(self) -> None:
        self.status, self.port = 200, 0
        self.asked: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.add(head.split()[1].decode())
        writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
        await writer.drain()
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def until(question: Callable[[], Awaitable[Value]], is_wanted: Callable[[Value], bool]) -> Value:
    """Ask until the answer is the wanted one."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not is_wanted(answer := await question()):
            await anyio.sleep(0.02)
    return answer


async def until_ports(picker: Picker, *wanted: int) -> None:
    """Wait until exactly the instances with these ports may be picked."""

    async def found() -> list[int]:
        return sorted(instance.port for instance in picker.instances())

    await until(found, lambda now: now == sorted(wanted))


async def until_none(discovery: Discovery, name: str) -> NoHealthyServices:
    """Wait until the registry has answered and no instance is given out, and return what is said then."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            try:
                await discovery.discover_service(name)
            except NoHealthyServices as error:
                if "not answered yet" not in str(error):
                    return error
            await anyio.sleep(0.02)
