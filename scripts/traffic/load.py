"""A load generator: keep-alive connections, a fixed rate or as fast as it goes, every failure counted, nothing retried.

Latencies count from the moment a request was *due*, so that a server that stalls is charged with all that waited.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

RELEASE_HEADER = b"x-release:"
_TIMEOUT_SECONDS = 30.0
_NO_RELEASE = ""


@dataclass
class LoadResult:
    """What happened. ``broken``: requests without a complete answer, by the reason; times are ``time.monotonic()``."""

    by_status: Counter[int] = field(default_factory=Counter)
    by_release: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    latencies_seconds: list[float] = field(default_factory=list, repr=False)
    began_at: float = 0.0
    ended_at: float = 0.0
    last_answer_at: dict[str, float] = field(default_factory=dict, repr=False)
    by_release_and_class: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def requests(self) -> int:
        """All that were sent."""
        return self.by_status.total() + self.broken.total()

    @property
    def failed(self) -> int:
        """Without a complete answer, or answered with 5xx."""
        return self.broken.total() + sum(count for status, count in self.by_status.items() if status >= 500)

    @property
    def per_second(self) -> float:
        """Requests answered or failed a second, over the whole time."""
        return self.requests / max(self.ended_at - self.began_at, 1e-9)

    @property
    def by_class(self) -> Counter[str]:
        """``{"2xx": 120, …}``."""
        found: Counter[str] = Counter()
        for status, count in self.by_status.items():
            found[f"{status // 100}xx"] += count
        return found

    def percentile_seconds(self, percent: float) -> float:
        """The latency that so many percent do not exceed (nearest rank); 0 without any."""
        return percentile(self.latencies_seconds, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered) + 0.5) - 1))]


@dataclass
class Load:
    """Requests to one URL over ``connections``. ``rate_per_second`` 0: as fast as answers come.

    ``headers(number)`` gives the header fields of a request; ``host`` is sent as Host (default: the URL's).
    """

    url: str
    connections: int = 16
    rate_per_second: float = 0.0
    method: str = "GET"
    body: bytes = b""
    host: str = ""
    headers: Callable[[int], Mapping[str, str]] | None = None
    result: LoadResult = field(default_factory=LoadResult)
    _number: int = 0
    _limit: int | None = None
    _begun: float = 0.0
    _is_stopping: bool = False
    _task: asyncio.Task[None] | None = None

    async def run(self, requests: int) -> LoadResult:
        """Send so many and wait for their answers."""
        self.start(requests)
        return await self.finished()

    def start(self, requests: int | None = None) -> None:
        """Send in the background until ``stop`` (or until so many were sent)."""
        self._limit = requests
        self._begun = time.monotonic()
        self.result.began_at = self.result.began_at or self._begun
        self._is_stopping = False
        self._number = 0
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> LoadResult:
        """Send no more; wait for what is under way."""
        self._is_stopping = True
        return await self.finished()

    async def finished(self) -> LoadResult:
        """Wait until all was sent and answered."""
        assert self._task is not None
        await self._task
        return self.result

    async def sent(self, more: int) -> None:
        """Wait until so many more requests were answered or failed than now."""
        goal = self.result.requests + more
        while self.result.requests < goal and self._task is not None and not self._task.done():
            await asyncio.sleep(0.005)

    async def _run(self) -> None:
        await asyncio.gather(*(self._work() for _ in range(self.connections)))
        self.result.ended_at = time.monotonic()

    def _take(self) -> int | None:
        if self._is_stopping or (self._limit is not None and self._number >= self._limit):
            return None
        self._number += 1
        return self._number - 1

    async def _work(self) -> None:
        connection: _Connection | None = None
        fixed = self._request_bytes({}) if self.headers is None else None
        while (number := self._take()) is not None:
            due = self._begun + number / self.rate_per_second if self.rate_per_second else time.monotonic()
            if (wait_seconds := due - time.monotonic()) > 0:
                await asyncio.sleep(wait_seconds)
            content = fixed or self._request_bytes(self.headers(number) if self.headers else {})
            connection = await self._one(connection, content, due)
        if connection is not None:
            connection.close()

    async def _one(self, connection: _Connection | None, content: bytes, due: float) -> _Connection | None:
        """One request; returns the connection when it can be used again."""
        result = self.result
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                if connection is None or connection.is_closed:
                    connection = await _connected(self.url)
                status, release = await connection.ask(content)
        except (OSError, TimeoutError, ValueError) as error:
            result.broken[f"{type(error).__name__}: {error}"] += 1
            if connection is not None:
                connection.close()
            return None
        now = time.monotonic()
        result.by_status[status] += 1
        result.by_release[release] += 1
        result.by_release_and_class[release][f"{status // 100}xx"] += 1
        result.last_answer_at[release] = now
        result.latencies_seconds.append(now - due)
        return connection

    def _request_bytes(self, headers: Mapping[str, str]) -> bytes:
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Host": self.host or parts.netloc, **headers}
        if self.body or self.method not in {"GET", "HEAD"}:
            fields["Content-Length"] = str(len(self.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + self.body


async def _connected(url: str) -> _Connection:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(_Connection, parts.hostname or "", parts.port or 80)
    return connection


class _Connection(asyncio.Protocol):
    """One connection that asks one thing at a time (RFC 9112)."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, str]] | None = None
        self._is_last = False
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"closed before the answer was complete ({exc or 'end'})"))

    def close(self) -> None:
        """Close it for good."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()

    async def ask(self, content: bytes) -> tuple[int, str]:
        """Send a request; its status and the release that answered."""
        assert self._transport is not None
        self._received.clear()
        self._answer = asyncio.get_running_loop().create_future()
        if self.is_closed:
            raise ConnectionError("closed while idle")
        self._transport.write(content)
        try:
            return await self._answer
        finally:
            if self._is_last:
                self.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._answer is None or self._answer.done():
            return
        try:
            found = self._complete()
        except (ValueError, IndexError):
            self._answer.set_exception(ValueError("not an HTTP answer"))
            return
        if found is not None:
            self._answer.set_result(found)

    def _complete(self) -> tuple[int, str] | None:
        """Status and release once the answer is whole."""
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(received[: end + 2]).lower()
        status = int(head[9:12])
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            if not received.endswith(b"0\r\n\r\n"):
                return None
        elif len(received) < end + 4 + int(_field(head, b"content-length:") or b"0"):
            return None
        self._is_last = b"\r\nconnection: close\r\n" in head
        return status, _field(head, RELEASE_HEADER).decode("latin-1") or _NO_RELEASE


def _field(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name)
    if start < 0:
        return b""
    start += 2 + len(name)
    return head[start : head.index(b"\r\n", start)].strip()
