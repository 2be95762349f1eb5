"""A small HTTP server in a process of its own that stands for one instance of a release, and misbehaves on request.

Standard library only, so that it starts at once. Every answer names its release in the header ``X-Release``.

::

    GET /health      200, or 503 with --never-ready; --errors-percent does not touch it
    GET /stats       JSON: requests, mirrored, bodies (bytes), errors, leaked_bytes, uptime_seconds
    GET /metrics     the same for Prometheus, by release: shop_requests_total, shop_leaked_bytes
    GET /echo        JSON: method, path, headers (names in lower case) and the body's length
    GET /delay/MS    answers after MS milliseconds
    anything else    200 and a short text; slow, failing or leaking as the options say

SIGTERM: no new connections; what is being answered is answered; idle connections are closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
RELEASE_HEADER = "X-Release"
CONTENT_TYPE = "Content-Type: text/plain; version=0.0.4; charset=utf-8"  # without one Prometheus 3 takes no metrics
READY = "listening on "  # and the port: the first line that is printed


@dataclass(frozen=True)
class Behaviour:
    """How an instance is. Percentages are kept exactly (every hundred requests), times count from its start."""

    delay_milliseconds: float = 0.0
    errors_percent: float = 0.0
    leak_bytes_per_request: int = 0
    crash_after_seconds: float = 0.0
    errors_after_seconds: float = 0.0
    never_ready: bool = False

    def arguments(self) -> list[str]:
        """The command line that says so."""
        given = {name: value for name, value in vars(self).items() if value and name != "never_ready"}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        return [*options, *(["--never-ready"] if self.never_ready else [])]


class _Shop:
    """The state that all connections share."""

    def __init__(self, release: str, behaviour: Behaviour) -> None:
        self.release = release
        self.behaviour = behaviour
        self.counted = dict.fromkeys(("requests", "mirrored", "bodies", "errors"), 0)
        self.connections: set[_Connection] = set()
        self.is_ending = False
        self._begun = time.monotonic()
        self._owed = 0.0
        self._leaked: list[bytes] = []
        self._leaked_bytes = 0

    def uptime_seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def answer(self, request: _Request) -> tuple[int, bytes, float]:
        """Status, body and the seconds to wait before."""
        if request.path == "/health":
            return (503, b"not ready\n", 0.0) if self.behaviour.never_ready else (200, b"ready\n", 0.0)
        if request.path == "/stats":
            more = {"leaked_bytes": self._leaked_bytes, "uptime_seconds": self.uptime_seconds()}
            return 200, json.dumps({**self.counted, **more}).encode(), 0.0
        if request.path == "/metrics":
            told = {"shop_requests_total": self.counted["requests"], "shop_leaked_bytes": self._leaked_bytes}
            lines = [f'{name}{{release="{self.release}"}} {value}\n' for name, value in told.items()]
            return 200, "".join(lines).encode(), 0.0
        return self._serve(request)

    def _serve(self, request: _Request) -> tuple[int, bytes, float]:
        self.counted["requests"] += 1
        self.counted["mirrored"] += "x-adx-mirror" in request.headers
        self.counted["bodies"] += len(request.body)
        if size := self.behaviour.leak_bytes_per_request:
            self._leaked.append(os.urandom(size))
            self._leaked_bytes += size
        delay_seconds = self.behaviour.delay_milliseconds / 1000
        if request.path.startswith("/delay/"):
            delay_seconds += float(request.path.removeprefix("/delay/")) / 1000
        if self._is_error_due():
            self.counted["errors"] += 1
            return 500, b"failed on purpose\n", delay_seconds
        if request.path == "/echo":
            told = {"method": request.method, "path": request.target, "headers": request.headers}
            return 200, json.dumps({**told, "body_length": len(request.body)}).encode(), delay_seconds
        return 200, b"hello from the shop\n", delay_seconds

    def _is_error_due(self) -> bool:
        if self.uptime_seconds() < self.behaviour.errors_after_seconds:
            return False
        self._owed += self.behaviour.errors_percent
        if self._owed < 100:
            return False
        self._owed -= 100
        return True


@dataclass
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class _Connection(asyncio.Protocol):
    """HTTP/1.1 (RFC 9112) as far as needed: keep-alive, lengths and chunks, one request at a time."""

    def __init__(self, shop: _Shop) -> None:
        self._shop = shop
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._shop.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._shop.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def close_when_idle(self) -> None:
        """Close at once, or after the answer that is being made."""
        if not self._is_busy and self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        if self._is_busy:
            return
        request = _taken(self._received)
        if request is None:
            return
        self._is_busy = True
        status, body, delay_seconds = self._shop.answer(request)
        if delay_seconds:
            asyncio.get_running_loop().call_later(delay_seconds, self._send, status, body)
        else:
            self._send(status, body)

    def _send(self, status: int, body: bytes) -> None:
        self._is_busy = False
        if self._transport is None:
            return
        close = "Connection: close\r\n" if self._shop.is_ending else ""
        head = (
            f"HTTP/1.1 {status} -\r\n{RELEASE_HEADER}: {self._shop.release}\r\n"
            f"{CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n{close}"
        )
        self._transport.write(head.encode() + b"\r\n" + body)
        if close:
            self._transport.close()
        elif self._received:
            self._next()


def _taken(received: bytearray) -> _Request | None:
    """The first whole request, taken out of ``received``; None while it is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    start = end + 4
    if "chunked" in headers.get("transfer-encoding", ""):
        return _with_chunks(received, start, _Request(method, target, headers))
    length = int(headers.get("content-length", "0"))
    if len(received) < start + length:
        return None
    body = bytes(received[start : start + length])
    del received[: start + length]
    return _Request(method, target, headers, body)


def _with_chunks(received: bytearray, start: int, request: _Request) -> _Request | None:
    body = bytearray()
    while True:
        end = received.find(b"\r\n", start)
        if end < 0:
            return None
        size = int(received[start:end].partition(b";")[0], 16)
        if len(received) < end + 2 + size + 2:
            return None
        body += received[end + 2 : end + 2 + size]
        start = end + 2 + size + 2
        if size == 0:
            request.body = bytes(body)
            del received[:start]
            return request


async def _serve(arguments: argparse.Namespace) -> None:
    given = {name: value for name, value in vars(arguments).items() if name not in {"release", "port"}}
    shop = _Shop(arguments.release, Behaviour(**given))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(shop), HOST, arguments.port, backlog=512)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if arguments.crash_after_seconds:
        loop.call_later(arguments.crash_after_seconds, os._exit, 70)
    print(f"{READY}{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
    shop.is_ending = True
    for connection in list(shop.connections):
        connection.close_when_idle()
    while shop.connections:
        await asyncio.sleep(0.01)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", required=True)
    parser.add_argument("--port", type=int, default=0)
    for name in ("delay-milliseconds", "errors-percent", "crash-after-seconds", "errors-after-seconds"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--leak-bytes-per-request", type=int, default=0)
    parser.add_argument("--never-ready", action="store_true")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_parser().parse_args()))
