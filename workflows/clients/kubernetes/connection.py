"""Requests to the API server: JSON in and out, ADX's errors out, pages put together, 429 waited for.

A read may be repeated at will, and so may the writes that are made here, so
429 and 503 are tried again, briefly; everything longer is the retry policy's.
A read is tried again after any failure of the server (500 is also what it says
while its store chooses another leader): one such answer would otherwise cost a
whole attempt at a cell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from workflows.clients.kubernetes.credentials import auth_of, tls_of
from workflows.clients.kubernetes.errors import ClusterRefused, from_status, translated
from workflows.clients.kubernetes.kubeconfig import Access

TIMEOUT_SECONDS = 30
PAGE_OBJECTS = 500
CONNECTIONS = 8
ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 5.0
_AGAIN = (429, 503)
_READ_AGAIN = (*_AGAIN, 500, 502, 504)

Json = dict[str, Any]


def client_of(access: Access, *, connections: int | None) -> httpx.AsyncClient:
    """A client of the API server, with so many connections at most (None: as many as are asked for)."""
    return httpx.AsyncClient(
        base_url=access.server,
        verify=tls_of(access),
        auth=auth_of(access),
        proxy=access.proxy,
        timeout=TIMEOUT_SECONDS,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
    )


def extensions_of(access: Access) -> dict[str, str]:
    """What every request says beside its content: the name that the server's certificate is for, where one is given."""
    return {"sni_hostname": access.server_name} if access.server_name else {}


class Connection:
    """A pool of connections to one API server."""

    def __init__(self, access: Access) -> None:
        self._client = client_of(access, connections=CONNECTIONS)
        self._extensions = extensions_of(access)

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Json:
        """The JSON object at ``path``. Raises the errors of ``workflows.clients.kubernetes.errors``."""
        what = f"GET {path}"
        response = await self._request("GET", path, params=parameters)
        try:
            return msgspec.json.decode(response.content, type=Json)
        except msgspec.DecodeError:
            raise ClusterRefused(f"{what}: the answer is not from a Kubernetes API server") from None

    async def send(
        self,
        method: str,
        path: str,
        content: object,
        content_type: str,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """Send ``content`` as JSON. Only for what may be repeated. Raises as ``get``."""
        body, headers = msgspec.json.encode(content), {"content-type": content_type}
        await self._request(method, path, params=parameters, content=body, headers=headers)

    async def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        what, again = f"{method} {path}", _READ_AGAIN if method == "GET" else _AGAIN
        for attempt in range(1, ATTEMPTS + 1):
            with translated(what):
                response = await self._client.request(method, path, extensions=self._extensions, **arguments)
            if response.status_code not in again or attempt == ATTEMPTS:
                break
            await asyncio.sleep(_wait_seconds(response, attempt))
        if not response.is_success:
            raise from_status(what, response.status_code, _message(response))
        return response

    async def list(self, path: str, selector: str = "") -> list[Json]:
        """All objects of a collection that ``selector`` (labels) chooses, page by page."""
        found: list[Json] = []
        parameters = {"limit": str(PAGE_OBJECTS), "labelSelector": selector}
        while True:
            page = await self.get(path, parameters)
            found.extend(page.get("items") or ())
            following = page.get("metadata", {}).get("continue")
            if not following:
                return found
            parameters["continue"] = following

    async def close(self) -> None:
        """Give back all connections."""
        await self._client.aclose()


def _wait_seconds(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("retry-after", "")
    seconds = float(asked) if asked.isdigit() else 0.25 * 2**attempt
    return min(seconds, LONGEST_WAIT_SECONDS)


def _message(response: httpx.Response) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=Json).get("message", ""))
    except msgspec.DecodeError:
        return ""
