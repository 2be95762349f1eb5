"""A TCP proxy before the API server: the same server at another address."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlparse

import yaml

from infra.engine import EngineSettings

CHUNK_BYTES = 65536


class TcpProxy:
    """Passes everything on."""

    def __init__(self, kubeconfig: Path, own_kubeconfig: Path) -> None:
        self._content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
        self._own = own_kubeconfig
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> TcpProxy:
        cluster = self._content["clusters"][0]["cluster"]
        address = urlparse(cluster["server"])
        self._target = (address.hostname, address.port)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        cluster["server"] = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._own.write_text(json.dumps(self._content))
        self._own.chmod(0o600)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """The same settings, with the way through this proxy."""
        return dataclasses.replace(settings, kubeconfig=self._own)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, requests), (answers, writer)):
            self._tasks.add(asyncio.ensure_future(self._pump(source, sink)))

    @staticmethod
    async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK_BYTES):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()
