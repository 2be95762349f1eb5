"""A TCP proxy that forwards a commit and loses its answer: "it succeeded, but the caller saw a lost connection"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url

_COMMIT = b"COMMIT\x00"


class LosesAnswers:
    """``lose_next_commit()`` arms it; ``lost`` counts the answers that were lost."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._is_armed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost = 0

    def lose_next_commit(self) -> None:
        """The next commit on any connection is done, and its answer never arrives."""
        self._is_armed = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        answers = asyncio.create_task(_pump(up_reader, writer))
        try:
            while data := await reader.read(65536):
                is_commit = self._is_armed and _COMMIT in data
                if is_commit:
                    self._is_armed = False
                    answers.cancel()
                    with suppress(asyncio.CancelledError):
                        await answers
                up_writer.write(data)
                await up_writer.drain()
                if is_commit:
                    await up_reader.read(65536)  # the server has answered: the commit is done
                    self.lost += 1
                    break
        finally:
            answers.cancel()
            for one in (writer, up_writer):
                one.close()

    async def close(self) -> None:
        """End all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[str, LosesAnswers]]:
    """The URL of a proxy in front of ``url``, and the proxy."""
    parsed = make_url(url)
    proxy = LosesAnswers(parsed.host or "127.0.0.1", parsed.port or 5432)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = parsed.set(host="127.0.0.1", port=port).update_query_dict({"sslmode": "disable"})
    try:
        yield through.render_as_string(hide_password=False), proxy
    finally:
        server.close()
        await proxy.close()
