"""Changes of single objects, for what no stack operation can do: putting back what others have changed.

Every call may be repeated: it leads to the same object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.clients.kubernetes.connection import Connection
from workflows.clients.kubernetes.errors import ObjectNotFound
from workflows.clients.kubernetes.kinds import path_of

# https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
APPLY, JSON_PATCH, JSON = "application/apply-patch+yaml", "application/json-patch+json", "application/json"
_IN_BACKGROUND = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
_SET_BY_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")


class Writer:
    """Changes objects as one field manager. Raises the errors of ``workflows.clients.kubernetes.errors``."""

    def __init__(self, connection: Connection, manager: str) -> None:
        self._connection = connection
        self._manager = manager

    async def apply(self, body: Mapping[str, Any]) -> None:
        """Server-side apply of a whole manifest: made where it is missing, fields of others taken over."""
        await self._send("PATCH", path_of(body), body, APPLY, force="true")

    async def remove(self, live: Mapping[str, Any], pointers: Sequence[str]) -> None:
        """Take fields (JSON pointers, RFC 6901) off the object, which must still be exactly ``live``."""
        unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
        removals = [{"op": "remove", "path": pointer} for pointer in pointers]
        await self._send("PATCH", path_of(live), [unchanged, *removals], JSON_PATCH)

    async def replace(self, live: Mapping[str, Any], now: Mapping[str, Any] | None) -> None:
        """Make the object what ``live``, as the API server gave it earlier, was; ``now`` is it now, None: gone."""
        body = _own(live)
        if now is None:
            collection = path_of(body).rpartition("/")[0]
            await self._send("POST", collection, body, JSON)
            return
        # Refused when it has changed since: then it is looked at again.
        body["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
        await self._send("PUT", path_of(body), body, JSON)

    async def delete(self, body: Mapping[str, Any]) -> None:
        """Delete the object; fine when it is gone."""
        try:
            await self._connection.send("DELETE", path_of(body), _IN_BACKGROUND, JSON)
        except ObjectNotFound:
            return

    async def _send(self, method: str, path: str, content: object, content_type: str, **parameters: str) -> None:
        parameters |= {"fieldManager": self._manager}
        await self._connection.send(method, path, content, content_type, parameters)


def _own(live: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what only servers set."""
    metadata = {name: value for name, value in live["metadata"].items() if name not in _SET_BY_SERVERS}
    return {**{name: value for name, value in live.items() if name != "status"}, "metadata": metadata}
