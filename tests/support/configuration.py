"""Fixtures for kept configuration: empty databases of both kinds, and a TCP link to a server that can be cut."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from policies.configuration.values import ConfigurationKey, ConfigurationValue
from scripts.stack import Home, Stack
from scripts.stack.parts import postgres
from tests.support import local_stack
from workflows.configuration.models import Author
from workflows.configuration.repository import ConfigurationStore

CIPHERTEXT = "vault:v1:" + "A" * 64


def key(name: str = "PAGE_SIZE", *, tenant: str | None = None, service: str = "frontend") -> ConfigurationKey:
    """A key of the namespace ``shop`` in staging."""
    return ConfigurationKey(namespace="shop", environment="staging", service=service, key=name, tenant_id=tenant)


def plain(value: object) -> ConfigurationValue:
    """A value that is no secret."""
    return ConfigurationValue(value=value)  # type: ignore[arg-type] # tests also try what is no JSON


def sealed(text: str = CIPHERTEXT) -> ConfigurationValue:
    """A secret in its form in Git."""
    return ConfigurationValue(is_secret=True, encrypted_value=text)


def author(by: str = "ada") -> Author:
    """Somebody who makes a change of its own."""
    return Author(by=by, change_id=uuid.uuid4().hex)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> str:
    """The superuser's URL of a PostgreSQL that runs alone: these tests need no cluster."""
    folder = pytestconfig.stash[local_stack._FOLDER] / "postgres-alone"
    stack = Stack(folder)
    stack.up(["postgres"])
    return postgres.superuser_url(Home(stack.home), stack.port("postgres", "sql"))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once of each kind."""
    name = "postgres_url" if request.param == "postgresql" else "mariadb_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[ConfigurationStore]:
    """A migrated store in each kind of database."""
    async with ConfigurationStore(database_url) as opened:
        await opened.migrate()
        yield opened


@dataclass
class Link:
    """A TCP link to ``upstream``. While it is cut, connections end and new ones are refused."""

    upstream: tuple[str, int]
    port: int = 0
    connections: int = 0
    is_cut: bool = False
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def cut(self) -> None:
        """The server is away."""
        self.is_cut = True
        asyncio.run_coroutine_threadsafe(self._abort(), self.loop).result()

    def mend(self) -> None:
        """The server is back."""
        self.is_cut = False

    def through(self, url: str) -> str:
        """``url`` by way of this link."""
        parts = urlsplit(url)
        login, _, _ = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self.port}"
        return parts._replace(netloc=f"{login}@{place}" if login else place).geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        if self.is_cut:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        if self.is_cut:  # meanwhile
            for one in (writer, up_writer):
                one.transport.abort()
            return
        mine = {writer, up_writer}
        self.writers |= mine
        with suppress(ConnectionError):
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        self.writers -= mine
        for one in mine:
            one.close()

    async def _abort(self) -> None:
        for writer in list(self.writers):
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def linked(url: str) -> Iterator[Link]:
    """A link to the server of ``url``, in a thread of its own: some clients block."""
    parts = urlsplit(url)
    link = Link((parts.hostname or "127.0.0.1", parts.port or 0))
    thread = threading.Thread(target=link.loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(link.serve, "127.0.0.1", 0), link.loop).result()
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), link.loop).result()
        link.loop.call_soon_threadsafe(link.loop.stop)
        thread.join()
        link.loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
