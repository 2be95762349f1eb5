"""A TCP proxy between a client and a database, which breaks at a chosen word: "done, but the answer was lost"."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class Cut:
    """Cut the connection at the client's bytes ``word``, after ``skip`` others.

    With ``answer`` the word is passed on and the server's bytes are awaited until ``answer`` stands in them;
    without, the server never hears the word.
    """

    word: bytes
    answer: bytes = b""
    skip: int = 0


class TcpProxy:
    """``port`` is where it listens. ``cuts`` counts the connections that were cut."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._cut: Cut | None = None
        self._is_refusing = False
        self._refuses_after = False
        self._hides_key = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cuts = 0

    def cut_at(self, word: bytes, answer: bytes = b"", *, skip: int = 0, then_refuse: bool = False) -> None:
        """Arm one cut; ``then_refuse``: nobody gets through afterwards."""
        self._cut = Cut(word, answer, skip)
        self._refuses_after = then_refuse

    def allow(self) -> None:
        """Let connections through again."""
        self._is_refusing = False

    def be_a_pooler(self) -> None:
        """Give clients another process number than the server's, as PostgreSQL's poolers do."""
        self._hides_key = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_refusing:
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        answers = asyncio.create_task(self._answers(up_reader, writer))
        try:
            while data := await reader.read(65536):
                cut = self._cut_for(data)
                if cut is not None and not cut.answer:
                    break
                if cut is not None:
                    answers.cancel()
                    with suppress(asyncio.CancelledError):
                        await answers
                up_writer.write(data)
                await up_writer.drain()
                if cut is not None:
                    seen = b""
                    while cut.answer not in seen:
                        seen += await up_reader.readexactly(1)
                    break
        finally:
            answers.cancel()
            for one in (writer, up_writer):
                one.close()

    def _cut_for(self, data: bytes) -> Cut | None:
        cut = self._cut
        if cut is None or cut.word not in data:
            return None
        if cut.skip:
            cut.skip -= 1
            return None
        self._cut = None
        self.cuts += 1
        self._is_refusing = self._refuses_after
        return cut

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(self._with_another_key(data) if self._hides_key else data)
                await writer.drain()
            writer.close()

    @staticmethod
    def _with_another_key(data: bytes) -> bytes:
        """BackendKeyData: ``K``, its length (12, longer from protocol 3.2 on), process number, key."""
        start = data.find(b"K\x00\x00\x00")
        if start < 0 or len(data) < start + 9:
            return data
        return data[: start + 5] + (77).to_bytes(4, "big") + data[start + 9 :]

    def close(self) -> None:
        """End all connections; called in the proxy's own loop."""
        for task in list(self._tasks):
            task.cancel()


@contextmanager
def proxied(host: str, port: int) -> Iterator[TcpProxy]:
    """A proxy in a loop of its own, so that it also serves what blocks the caller's."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tcp-proxy", daemon=True)
    thread.start()
    proxy = TcpProxy(host, port)
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(proxy.serve, "127.0.0.1", 0), loop).result()
    proxy.port = server.sockets[0].getsockname()[1]

    async def end() -> None:
        server.close()
        proxy.close()
        await asyncio.sleep(0)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
