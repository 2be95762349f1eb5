"""A TCP proxy before the S3 server that answers 503, or cuts connections after so many bytes in one direction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

_BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Faults:
    """What the proxy does wrong. Counts are of connections, and go down as they are used."""

    busy_answers: int = 0
    cut_uploads: int = 0
    cut_downloads: int = 0
    cut_after_bytes: int = 4096
    connections: int = 0


@contextmanager
def faulty(endpoint: str, faults: Faults) -> Iterator[str]:
    """The address of a proxy before ``endpoint``, in a thread of its own: boto3 blocks."""
    loop = asyncio.new_event_loop()
    upstream = urlsplit(endpoint)
    host, port = upstream.hostname or "127.0.0.1", upstream.port or 80

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await _forward(reader, writer, faults, host, port)
        writer.close()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: Faults, host: str, port: int
) -> None:
    faults.connections += 1
    if faults.busy_answers:
        faults.busy_answers -= 1
        await reader.read(65536)
        writer.write(_BUSY)
        await writer.drain()
        return
    up_limit = down_limit = None
    if faults.cut_uploads:
        faults.cut_uploads, up_limit = faults.cut_uploads - 1, faults.cut_after_bytes
    elif faults.cut_downloads:
        faults.cut_downloads, down_limit = faults.cut_downloads - 1, faults.cut_after_bytes
    up_reader, up_writer = await asyncio.open_connection(host, port)
    directions = [
        asyncio.ensure_future(_pump(reader, up_writer, up_limit)),
        asyncio.ensure_future(_pump(up_reader, writer, down_limit)),
    ]
    await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    for direction in directions:
        direction.cancel()
    up_writer.transport.abort()
    writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_bytes: int | None) -> None:
    sent_bytes = 0
    while data := await reader.read(65536):
        allowed = data if limit_bytes is None else data[: limit_bytes - sent_bytes]
        writer.write(allowed)
        await writer.drain()
        sent_bytes += len(allowed)
        if len(allowed) < len(data):
            return


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
