"""An API server that is overloaded, failing or no API server at all: scripted answers, each class of error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from policies.errors import AdxError
from workflows.clients.kubernetes.connection import ATTEMPTS, Connection
from workflows.clients.kubernetes.errors import (
    ClusterFailed,
    ClusterRefused,
    ClusterTimedOut,
    ClusterUnreachable,
    ObjectNotFound,
)
from workflows.clients.kubernetes.kubeconfig import Access

OK = (200, '{"gitVersion": "v1.36.3"}')


class Script:
    """Answers one request after the other; remembers what was asked. Status 0 closes the connection."""

    def __init__(self, answers: Iterable[tuple[int, str]]) -> None:
        self._answers = list(answers)
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        status, body = self._answers.pop(0)
        if status:
            head = f"HTTP/1.1 {status} X\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def scripted(*answers: tuple[int, str], **access: object) -> AsyncIterator[tuple[Connection, Script]]:
    """A connection to a server that gives these answers."""
    script = Script(answers)
    async with await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = Connection(Access(server=f"http://127.0.0.1:{port}", **access))  # type: ignore[arg-type] # per test
        yield connection, script
        await connection.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_overloaded_server_is_asked_again(status: int) -> None:
    async with scripted((status, ""), (status, ""), OK) as (connection, script):
        assert (await connection.get("/version"))["gitVersion"] == "v1.36.3"

    assert len(script.heads) == 3


CLASSES = [
    (400, ClusterRefused),
    (401, ClusterRefused),
    (403, ClusterRefused),
    (404, ObjectNotFound),
    (409, ClusterRefused),
    (422, ClusterRefused),
    (429, ClusterTimedOut),
    (500, ClusterFailed),
    (502, ClusterUnreachable),
    (503, ClusterUnreachable),
    (504, ClusterTimedOut),
]


@pytest.mark.parametrize(("status", "kind"), CLASSES)
async def test_each_status_has_its_class_and_the_server_s_own_message(status: int, kind: type[AdxError]) -> None:
    answers = [(status, '{"kind": "Status", "message": "because of this"}')] * ATTEMPTS
    async with scripted(*answers) as (connection, _):
        with pytest.raises(kind, match="because of this") as caught:
            await connection.get("/version")

    assert type(caught.value) is kind


async def test_a_dropped_connection_is_a_connection_error() -> None:
    async with scripted((0, "")) as (connection, _):
        with pytest.raises(ClusterUnreachable):
            await connection.get("/version")


@pytest.mark.parametrize("body", ["<html>captive portal</html>", "[]", ""])
async def test_an_answer_that_is_not_from_kubernetes_is_refused(body: str) -> None:
    async with scripted((200, body)) as (connection, _):
        with pytest.raises(ClusterRefused, match="not from a Kubernetes API server"):
            await connection.get("/version")


async def test_a_redirect_is_not_followed() -> None:
    async with scripted((302, "")) as (connection, script):
        with pytest.raises(AdxError):
            await connection.get("/version")

    assert len(script.heads) == 1


async def test_a_token_file_that_was_renewed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    async with scripted(OK, (401, ""), OK, token_file=file) as (connection, script):
        await connection.get("/version")
        file.write_text("new\n")
        await connection.get("/version")

    assert ["Bearer old" in head for head in script.heads] == [True, True, False]
    assert "Bearer new" in script.heads[2]


async def test_a_fixed_token_that_is_refused_is_not_sent_again() -> None:
    async with scripted((401, ""), token="canary-token") as (connection, script):
        with pytest.raises(ClusterRefused) as caught:
            await connection.get("/version")

    assert len(script.heads) == 1
    assert "canary" not in str(caught.value)
