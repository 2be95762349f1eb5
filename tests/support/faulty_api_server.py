"""An API server that answers a share of requests with an error: a real one, behind a proxy that speaks its HTTP.

Some errors are told before the request was passed on, some after it was done:
"it succeeded, but the caller saw a failure". Which request gets which is
decided by what is asked and how often it was asked before, never by timing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml

from scripts.stack import Home

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"host", b"content-length"})
_END_WITHIN_SECONDS = 1
# As API servers do: a client that writes into a connection which is just being closed would see a fault that none is.
_KEEP_ALIVE_SECONDS = 300


@dataclass(frozen=True)
class Fault:
    """One answer instead of the real one. ``is_late``: the request was done all the same.

    ``retry_after_seconds`` 0 gives no hint, and the clients then do not try again by themselves. ``status`` 0 is no
    answer at all, for as long as somebody waits for it.
    """

    status: int
    retry_after_seconds: int = 0
    is_late: bool = False


TOO_MANY = Fault(429, retry_after_seconds=1)
BROKEN = Fault(500)
OVERLOADED = Fault(503, retry_after_seconds=1)
DONE_BUT_BROKEN = Fault(500, is_late=True)
DONE_BUT_UNANSWERED = Fault(0, is_late=True)
# An API server that has too much to do says so, most of the time.
EARLY = (TOO_MANY, TOO_MANY, TOO_MANY, BROKEN, OVERLOADED, OVERLOADED, OVERLOADED)


@dataclass
class Faults:
    """Which requests fail: a ``share`` of all, and a ``late_share`` of the writes, chosen by ``seed``.

    ``renamed`` are words of paths that differ from run to run, and what they count as. ``told`` counts what was done.
    Writes of paths that end in ``unanswered`` are done, and their answers are lost.
    """

    seed: int
    share: float = 0.0
    late_share: float = 0.0
    renamed: Mapping[str, str] = field(default_factory=dict)
    unanswered: str = ""
    told: Counter[Fault] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)

    def of(self, method: str, path: str) -> Fault | None:
        """The fault of this request; None: it is answered as the API server answers."""
        known_as = f"{method} {path}"
        for word, name in self.renamed.items():
            known_as = known_as.replace(word, name)
        self._asked[known_as] += 1
        chance = random.Random(f"{self.seed} {known_as} {self._asked[known_as]}")
        place = chance.random()
        fault = chance.choice(EARLY) if place < self.share else None
        if fault is None and method in WRITES and place >= 1 - self.late_share:
            fault = DONE_BUT_BROKEN
        if self.unanswered and method in WRITES and path.endswith(self.unanswered):
            fault = DONE_BUT_UNANSWERED
        if fault is not None:
            self.told[fault] += 1
        return fault

    def stop(self) -> None:
        """From now on all is well."""
        self.share = self.late_share = 0.0


class _Proxy:
    """The ASGI application: asks the faults first, then the API server; watches are passed on as they come."""

    def __init__(self, upstream: httpx.AsyncClient, faults: Faults) -> None:
        self._upstream = upstream
        self._faults = faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        body = await _read(receive)
        fault = self._faults.of(scope["method"], scope["path"])
        if fault is not None and not fault.is_late:
            await _tell(fault, send)
            return
        with contextlib.suppress(httpx.TransportError):  # the client then sees its connection end, as it would
            async with self._asked(scope, body) as response:
                if fault is not None:
                    await response.aread()
                    await (_tell(fault, send) if fault.status else _gone(receive))
                    return
                await _until_either(_pass_on(response, send), _gone(receive))

    @contextlib.asynccontextmanager
    async def _asked(self, scope: Any, body: bytes) -> Any:
        query = scope["query_string"].decode()
        path = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP_BY_HOP]
        async with self._upstream.stream(scope["method"], path, headers=headers, content=body) as response:
            yield response


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_either(*work: Any) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(response: httpx.Response, send: Any) -> None:
    headers = [(name.lower(), value) for name, value in response.headers.raw if name.lower() not in _HOP_BY_HOP]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def _tell(fault: Fault, send: Any) -> None:
    """What API servers say (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)."""
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status, "message": "injected"}
    hint = [(b"retry-after", str(fault.retry_after_seconds).encode())] if fault.retry_after_seconds else []
    headers = [(b"content-type", b"application/json"), *hint]
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


@contextlib.contextmanager
def faulty_api_server(home: Home, kubeconfig: Path, own_kubeconfig: Path, faults: Faults) -> Iterator[Path]:
    """A proxy before the stack's API server, in a thread of its own; yields the kubeconfig that leads through it.

    It shows the stack's own certificate, so that clients check it as they check the API server's.
    """
    content = yaml.safe_load(kubeconfig.read_text())
    cluster = content["clusters"][0]["cluster"]
    trusted = ssl.create_default_context(cafile=home.certificates / "ca.crt")
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    upstream = httpx.AsyncClient(base_url=cluster["server"], verify=trusted, timeout=None, limits=limits)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        cluster["server"] = f"https://127.0.0.1:{listening.getsockname()[1]}"
        own_kubeconfig.touch(mode=0o600)
        own_kubeconfig.write_text(json.dumps(content))
        config = uvicorn.Config(
            _Proxy(upstream, faults),
            ssl_certfile=home.certificates / "server.crt",
            ssl_keyfile=home.secret_file("server.key"),
            lifespan="off",
            log_config=None,
            log_level="critical",
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_END_WITHIN_SECONDS,
        )
        server = uvicorn.Server(config)

        async def serve() -> None:
            async with upstream:
                await server.serve([listening])

        thread = threading.Thread(target=asyncio.run, args=(serve(),), name="faulty-api-server", daemon=True)
        thread.start()
        try:
            yield own_kubeconfig
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive(), "the proxy does not end"
