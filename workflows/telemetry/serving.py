"""Runs an ASGI application inside a process that does something else as well.

Boundary: sockets and the server's life; what is answered is the
application's. Signals are left to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from policies.errors import AdxError

LOCAL_HOST = "127.0.0.1"
# Longer than common clients keep an idle connection (httpx 5 s, aiohttp 15 s): one that sends into a connection which
# is just being closed gets no answer. No longer than needed: idle connections count among those that may be open.
KEEP_ALIVE_SECONDS = 20


def bind(address: str) -> socket.socket:
    """A listening socket for ``host:port``, ``:port`` or ``port``.

    The host defaults to loopback; port 0 picks a free one. Raises AdxError
    when the port is taken or not allowed.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or LOCAL_HOST
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise AdxError(
            f"{address!r} is not an address to listen on", next_step="give host:port, for example 127.0.0.1:9464"
        )
    try:
        listener = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise AdxError(
            f"cannot listen on {host}:{port}: {error.strerror}", next_step="stop what uses the port, or choose another"
        ) from error
    # asyncio does this only for sockets that name their protocol, which create_server's do not. Connections inherit it;
    # without it the second part of an answer may wait 40 ms for the acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """``host:port`` that ``listener`` is bound to."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _EmbeddedServer(uvicorn.Server):
    """uvicorn without its signal handlers: they would take SIGTERM from the worker that it lives in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(app: ASGIApp, listener: socket.socket, *, concurrency: int = 64) -> AsyncIterator[str]:
    """Serve ``app`` on ``listener`` while the block runs; gives ``host:port``.

    Requests under way when the block ends have ten seconds to finish. More
    than ``concurrency`` connections at once are answered 503.
    """
    server = _EmbeddedServer(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,  # logging is set up by workflows.telemetry.logs
            access_log=False,
            server_header=False,
            limit_concurrency=concurrency,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=10,
            ws="none",
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        await running
        listener.close()
