"""Objects of one collection, kept as the API server has them: a list, then a watch from its resource version.

Rules of the Kubernetes manual, "API Concepts", "Efficient detection of
changes": what is listed has a resource version, from which a watch tells every
later change; bookmarks move that version on when nothing of ours changes; a
version that is too old (410 Gone, as a status or within the watch) means to
list anew.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import httpx
import msgspec

from workflows.clients.kubernetes import addresses, kubeconfig
from workflows.clients.kubernetes.connection import PAGE_OBJECTS, TIMEOUT_SECONDS, client_of, extensions_of
from workflows.clients.kubernetes.errors import ClusterRefused, from_status, translated
from workflows.clients.kubernetes.kubeconfig import Access

_GONE = 410
_LATE_SECONDS = 10.0
# A server that ends every watch at once must not be asked without a pause.
_AGAIN_AFTER_SECONDS = 0.1

Json = dict[str, Any]
Objects = dict[str, Json]


class _Event(msgspec.Struct):
    """One line of a watch."""

    type: str
    object: Json


class _View(msgspec.Struct):
    """What is known, and of which resource version it is."""

    found: Objects
    version: str


class _Gone(Exception):
    """The resource version is too old."""


class Watches:
    """Watches of one API server; each has a connection of its own. One per event loop; close it at the end.

    Raises the errors of ``workflows.clients.kubernetes.errors``.
    """

    def __init__(self, access: Access) -> None:
        self._client = client_of(access, connections=None)
        self._extensions = extensions_of(access)

    @classmethod
    async def connect(
        cls, kubeconfig_paths: str | None, context: str | None = None, *, environ: Mapping[str, str] | None = None
    ) -> Watches:
        """As ``Cluster.connect``, with its errors."""
        settings = os.environ if environ is None else environ
        access = await asyncio.to_thread(kubeconfig.load, kubeconfig_paths, context, settings)
        await addresses.check_server(access.server)
        return cls(access)

    async def objects(self, path: str, selector: str, *, every_seconds: float) -> AsyncGenerator[Objects, None]:
        """The objects at ``path`` (a collection) that ``selector`` (labels) chooses, by name: now, and at every change.

        At least about ``every_seconds`` the same ones again, which says that the
        API server is there. The value is not to be kept: it is changed later.
        """
        while True:
            view = await self._list(path, selector)
            yield view.found
            try:
                while True:
                    async with aclosing(self._changes(path, selector, view, every_seconds)) as changes:
                        async for _ in changes:
                            yield view.found
                    yield view.found
                    await asyncio.sleep(_AGAIN_AFTER_SECONDS)
            except _Gone:
                await asyncio.sleep(_AGAIN_AFTER_SECONDS)

    async def close(self) -> None:
        """End all watches."""
        await self._client.aclose()

    async def _list(self, path: str, selector: str) -> _View:
        """All objects, page by page; they are all of one version."""
        found: Objects = {}
        parameters = {"limit": str(PAGE_OBJECTS), "labelSelector": selector}
        while True:
            with translated(f"GET {path}"):
                response = await self._client.get(path, params=parameters, extensions=self._extensions)
            if not response.is_success:
                raise from_status(f"GET {path}", response.status_code, _message(response.content))
            page = _decoded(response.content, Json, path)
            found |= {item["metadata"]["name"]: item for item in page.get("items") or ()}
            following = page["metadata"].get("continue")
            if not following:
                return _View(found, str(page["metadata"]["resourceVersion"]))
            parameters["continue"] = following

    async def _changes(self, path: str, selector: str, view: _View, every_seconds: float) -> AsyncGenerator[None, None]:
        """Change ``view`` as the watch tells, one step for each change. Ends when the API server ends the watch."""
        parameters = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": view.version,
            "labelSelector": selector,
            "timeoutSeconds": str(max(math.floor(every_seconds), 1)),
        }
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=every_seconds + _LATE_SECONDS)
        with translated(f"watch of {path}"):
            async with self._client.stream(
                "GET", path, params=parameters, timeout=timeout, extensions=self._extensions
            ) as response:
                if response.status_code == _GONE:
                    raise _Gone
                if not response.is_success:
                    raise from_status(f"watch of {path}", response.status_code, _message(await response.aread()))
                async for line in response.aiter_lines():
                    _apply(_decoded(line.encode(), _Event, path), view, path)
                    yield


def _apply(event: _Event, view: _View, path: str) -> None:
    """Change ``view`` by one event. Raises _Gone, and what the server says."""
    if event.type == "ERROR":
        code = int(event.object.get("code") or 500)
        if code == _GONE:
            raise _Gone
        raise from_status(f"watch of {path}", code, str(event.object.get("message", "")))
    metadata = event.object["metadata"]
    if event.type in ("ADDED", "MODIFIED"):
        view.found[metadata["name"]] = event.object
    elif event.type == "DELETED":
        view.found.pop(metadata["name"], None)
    view.version = str(metadata["resourceVersion"])


def _decoded(content: bytes, kind: Any, path: str) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        raise ClusterRefused(f"{path}: the answer is not from a Kubernetes API server") from None


def _message(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content, type=Json).get("message", ""))
    except msgspec.MsgspecError:
        return ""
